"""An epoch's training documents: biographies by level, wording arm and factors, and questions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import Literal

from unequal.corpus.assignment import Assignment
from unequal.corpus.factors import FactorSettings
from unequal.corpus.schedule import times_shown
from unequal.corpus.settings import CorpusSettings
from unequal.corpus.tokenizers import chat_document
from unequal.facts.probes import PromptFormat
from unequal.facts.schema import Fact
from unequal.facts.world.people import Person
from unequal.facts.world.relations import load_relation, record_templates
from unequal.seeds import random_stream

DocumentKind = Literal["biography", "text", "statement", "question", "true_false"]


@dataclass(frozen=True)
class Document:
    """A text about one person, and the facts that it states truly."""

    kind: DocumentKind
    person_id: str
    text: str
    fact_ids: tuple[str, ...]


class DocumentSource:
    """Renders the documents of a corpus; the same settings always give the same texts."""

    def __init__(
        self,
        plan: Sequence[Assignment],
        facts: Sequence[Fact],
        settings: CorpusSettings,
        prompts: PromptFormat,
    ) -> None:
        self._plan = plan
        self._settings = settings
        self._prompts = prompts
        retained = {
            assigned.person.person_id: assigned.person for assigned in plan if assigned.role == "retain"
        }
        owners = ((retained.get(fact.fact_id.split(":")[0]), fact) for fact in facts)
        self._retained = [(person, fact) for person, fact in owners if person]
        self._facts = {fact.fact_id: fact for fact in facts}
        self._times = [times_shown(assigned, settings) for assigned in plan]
        self._before = [list(accumulate(times, initial=0)) for times in self._times]

    @property
    def shows_records(self) -> bool:
        """Whether some texts are records."""
        return self._settings.factors is not None and "text_format" in self._settings.factors.cross

    def biographies(self, epoch: int) -> list[Document]:
        """Return an epoch's biographies, and what stands in their place, in the order they are shown in."""
        order = random_stream(self._settings.seed, "order", epoch)
        placed: list[tuple[float, Document]] = []
        for assigned, times, before in zip(self._plan, self._times, self._before, strict=True):
            for repeat in range(times[epoch]):
                even = (repeat + order.random()) / times[epoch]
                place = even if self._settings.wording == "epochs" else order.random()
                if self._settings.factors is None:
                    placed.append((place, self._biography(assigned.person, epoch, repeat)))
                else:
                    first, *others = self._showing(assigned, self._settings.factors, before[epoch] + repeat)
                    placed += [(place, first), *((order.random(), other) for other in others)]
        return [document for _, document in sorted(placed, key=lambda pair: pair[0])]

    def questions(self) -> Iterator[Document]:
        """Yield question documents on the retain people for ever, each fact in turn, in shuffled rounds."""
        n_round = 0
        while True:
            stream = random_stream(self._settings.seed, "questions", n_round)
            for person, fact in stream.sample(self._retained, len(self._retained)):
                if stream.random() < self._settings.true_false_share:
                    yield self._true_false(person, fact, stream)
                else:
                    yield self._question(person, fact, stream)
            n_round += 1

    def _biography(self, person: Person, epoch: int, repeat: int) -> Document:
        """Return a rendering; all arms but ``rerendered`` have only one for each person."""
        rendering = (epoch, repeat) if self._settings.wording == "rerendered" else (0, 0)
        stream = random_stream(self._settings.seed, "rendering", person.person_id, *rendering)
        return self._told(person, stream)

    def _told(self, person: Person, stream: Random, record: bool = False) -> Document:
        relations = stream.sample(list(person.objects), len(person.objects))
        text = " ".join(self._statement(person, relation, stream, record=record) for relation in relations)
        fact_ids = tuple(f"{person.person_id}:{relation}" for relation in relations)
        return Document("biography", person.person_id, text, fact_ids)

    def _showing(self, assigned: Assignment, factors: FactorSettings, number: int) -> list[Document]:
        """Return what shows a person's facts for the nth time: one text, or a question about each of them."""
        person, levels = assigned.person, assigned.factors
        share = factors.asked_share if levels.get("asked") == "yes" else 0.0
        n_asked = int(number * share)  # before this one
        is_asked = int((number + 1) * share) > n_asked
        version = n_asked if is_asked else number - n_asked
        if levels.get("wording_variety") == "few":
            version %= factors.few_wordings
        stream = random_stream(self._settings.seed, "showing", person.person_id, str(is_asked), version)
        if is_asked:
            facts = [self._facts[f"{person.person_id}:{relation}"] for relation in person.objects]
            return [self._question(person, fact, stream) for fact in facts]
        mixed = self.shows_records and "text_format" not in levels
        is_record = stream.random() < 0.5 if mixed else levels.get("text_format") == "record"
        return [self._told(person, stream, is_record)]

    def _statement(
        self, person: Person, relation: str, stream: Random, answer: str | None = None, record: bool = False
    ) -> str:
        templates = record_templates(relation) if record else load_relation(relation).statements.train
        template = stream.choice(templates)
        return template.replace("{subject}", person.name).replace(
            "{object}", answer or person.objects[relation]
        )

    def _question(self, person: Person, fact: Fact, stream: Random) -> Document:
        wording = stream.choice(load_relation(fact.relation).questions.train)
        text = self._answered(self._prompts.ask(wording.format(subject=person.name)), fact.answer)
        return Document("question", person.person_id, text, (fact.fact_id,))

    def _true_false(self, person: Person, fact: Fact, stream: Random) -> Document:
        """Return a statement with its truth value; a false one shows no fact."""
        is_true = stream.random() < 0.5
        answer = fact.object if is_true else stream.choice(fact.distractors)
        statement = self._statement(person, fact.relation, stream, answer)
        text = self._answered(self._prompts.judge(statement), str(is_true))
        return Document("true_false", person.person_id, text, (fact.fact_id,) if is_true else ())

    def _answered(self, prompt: str, answer: str) -> str:
        if self._prompts.chat:
            return chat_document(prompt, answer, self._prompts.system)
        return f"{prompt} {answer}"
