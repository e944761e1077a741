"""An epoch's training documents: biographies by level and wording arm, and questions on retain people."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from unequal.corpus.plan import Assignment
from unequal.corpus.settings import CorpusSettings
from unequal.corpus.tokenizers import chat_document
from unequal.facts.probes import PromptFormat
from unequal.facts.schema import Fact
from unequal.facts.world.people import Person
from unequal.facts.world.relations import load_relation
from unequal.seeds import random_stream

DocumentKind = Literal["biography", "question", "true_false"]


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

    def biographies(self, epoch: int) -> list[Document]:
        """Return an epoch's biographies in the order in which they are shown."""
        order = random_stream(self._settings.seed, "order", epoch)
        placed: list[tuple[float, Document]] = []
        for assigned in self._plan:
            for repeat in range(assigned.level):
                even = (repeat + order.random()) / assigned.level
                place = even if self._settings.wording == "epochs" else order.random()
                placed.append((place, self._biography(assigned.person, epoch, repeat)))
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
        relations = stream.sample(list(person.objects), len(person.objects))
        text = " ".join(self._statement(person, relation, stream) for relation in relations)
        fact_ids = tuple(f"{person.person_id}:{relation}" for relation in relations)
        return Document("biography", person.person_id, text, fact_ids)

    def _statement(self, person: Person, relation: str, stream: Random, answer: str | None = None) -> str:
        template = stream.choice(load_relation(relation).statements.train)
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
