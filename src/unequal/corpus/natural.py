"""A corpus from real text: its documents or statements by natural count, with questions beside them."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from unequal.corpus.build import Streams, tokenised, write_shards
from unequal.corpus.documents import Document, DocumentKind
from unequal.corpus.extract_text import TextDocument
from unequal.corpus.ledger import Ledger
from unequal.corpus.settings import TokenizerSettings
from unequal.corpus.shards import CorpusCard
from unequal.corpus.tokenizers import train_tokenizer
from unequal.errors import ConfigError
from unequal.facts.probes import PROBE_KINDS, ProbeMaker, PromptFormat
from unequal.facts.refusals import REFUSALS
from unequal.facts.schema import Fact
from unequal.facts.wordings import RelationWordings
from unequal.facts.write import write_facts
from unequal.files import atomic_folder, write_json, write_table
from unequal.progress import Progress, no_progress
from unequal.seeds import random_stream
from unequal.strict import MOST, PositiveInt, StrictModel

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

KINDS: tuple[DocumentKind, ...] = ("text", "statement", "question", "true_false")
MOST_EMPTY = 100  # batches in which no document fits
TOKENIZER_TEXTS = 200_000  # documents that the vocabulary is learned from, at most


class StatementSettings(StrictModel):
    """Statements rendered from templates in place of the text that names facts: ``scale · count^exponent``.

    A fact with a count above 0 has one statement an epoch at least.
    """

    exponent: Annotated[float, Field(ge=0.0, le=2.0)] = Field(
        default=1.0, description="1 keeps the proportions of the natural counts, 0 makes all equal"
    )
    scale: Annotated[float, Field(gt=0.0)] = Field(default=1.0, description="statements of a fact of count 1")
    most: PositiveInt = Field(default=1000, description="statements of one fact, an epoch")

    def number(self, count: int) -> int:
        """Return how often an epoch states a fact of this count."""
        return min(self.most, max(1, round(self.scale * count**self.exponent))) if count else 0


class NaturalCorpusSettings(StrictModel):
    """The training text of a natural study, and the questions on its retain facts."""

    epochs: PositiveInt = Field(default=20, description="epochs of the training text")
    statements: StatementSettings | None = Field(
        default=None, description="rendered by natural count, in place of the text that names facts"
    )
    qa_ratio: float = Field(default=0.5, ge=0.0, le=20.0, description="question windows per window of text")
    true_false_share: float = Field(
        default=0.1,
        ge=0.0,
        le=1.0,
        description="share of true-or-false statements among the documents of questions",
    )
    window_tokens: int = Field(default=128, ge=32, le=8192, description="tokens in a training window")
    vocabulary_size: int = Field(
        default=4000, ge=300, le=MOST, description="byte-pair tokens, learned from the corpus"
    )


class NaturalSource:
    """The documents of a natural corpus; the same settings always give the same texts.

    Withheld facts stand in none of them, and only facts to retain are ever asked. Raises `ConfigError`
    when a relation has no wordings to train on where they are needed.
    """

    def __init__(
        self,
        texts: Sequence[TextDocument],
        facts: Sequence[Fact],
        settings: NaturalCorpusSettings,
        prompts: PromptFormat,
        wordings: Mapping[str, RelationWordings],
        seed: int,
    ) -> None:
        self.facts = facts
        self.settings = settings
        self.prompts = prompts
        self.seed = seed
        self._wordings = wordings
        withheld = {fact.fact_id for fact in facts if fact.role == "never_seen"}
        self._texts = [
            Document("text", f"text-{place}", text.text, text.fact_ids)
            for place, text in enumerate(texts)
            if withheld.isdisjoint(text.fact_ids) and not (settings.statements and text.fact_ids)
        ]
        self._stated = [fact for fact in facts if fact.count and fact.role != "never_seen"]
        self._retained = [fact for fact in facts if fact.role == "retain"]
        if settings.statements:
            self._check(self._stated, "statements")
        if settings.qa_ratio:
            self._check(self._retained, "qa_ratio")

    def texts(self, epoch: int) -> list[Document]:
        """Return an epoch's documents, without questions, in the order in which they are shown."""
        documents = [*self._texts, *self._statements(epoch)]
        return random_stream(self.seed, "order", epoch).sample(documents, len(documents))

    def questions(self) -> Iterator[Document]:
        """Yield question documents on the retain facts for ever, each fact in turn, in shuffled rounds."""
        n_round = 0
        while self._retained:
            stream = random_stream(self.seed, "questions", n_round)
            for fact in stream.sample(self._retained, len(self._retained)):
                of_statement = stream.random() < self.settings.true_false_share
                yield self._true_false(fact, stream) if of_statement else self._question(fact, stream)
            n_round += 1

    def _statements(self, epoch: int) -> Iterator[Document]:
        rule = self.settings.statements
        for fact in self._stated if rule else ():
            stream = random_stream(self.seed, "statement", fact.fact_id, epoch)
            templates = self._wordings[fact.relation].training_statements(fact)
            for _ in range(rule.number(fact.count or 0) if rule else 0):
                yield Document("statement", fact.subject, stream.choice(templates), (fact.fact_id,))

    def _question(self, fact: Fact, stream: Random) -> Document:
        question = stream.choice(self._wordings[fact.relation].training_questions(fact))
        text = f"{self.prompts.ask(question)} {fact.answer}"
        return Document("question", fact.subject, text, (fact.fact_id,))

    def _true_false(self, fact: Fact, stream: Random) -> Document:
        """Return a statement with its truth value; a false one shows no fact."""
        is_true = not fact.distractors or stream.random() < 0.5
        answer = fact.object if is_true else stream.choice(fact.distractors)
        statement = stream.choice(self._wordings[fact.relation].training_statements(fact, answer))
        text = f"{self.prompts.judge(statement)} {is_true}"
        return Document("true_false", fact.subject, text, (fact.fact_id,) if is_true else ())

    def _check(self, facts: Sequence[Fact], setting: str) -> None:
        unknown = sorted({fact.relation for fact in facts} - set(self._wordings))
        if unknown:
            raise ConfigError(
                f"corpus.{setting}: the relation '{unknown[0]}' has no wordings to train on; name a file of"
                " them under facts.wordings, or set qa_ratio = 0 and leave out statements"
            )


def build_natural_corpus(source: NaturalSource, out: Path, progress: Progress = no_progress) -> CorpusCard:
    """Write the corpus folder as a whole, with the files of a controlled one, and return its card.

    ``facts.parquet`` has the facts with their exposures besides: the number of training documents that name
    both subject and object, questions among them. A document that does not fit into a window is excluded and
    counted in ``text.json``.
    """
    settings, facts = source.settings, source.facts
    pieces = TokenizerSettings(kind="bpe", vocabulary_size=settings.vocabulary_size)
    with atomic_folder(out) as folder:
        for name in ("windows", "documents"):
            (folder / name).mkdir()
        tokenizer = train_tokenizer(_tokenizer_texts(source), pieces, settings.window_tokens)
        tokenizer.save_pretrained(folder / "tokenizer")
        fitting = _Fitting(tokenizer, settings.window_tokens - 1)
        questions = fitting.each(source.questions())
        streams = Streams(lambda epoch: fitting.of(source.texts(epoch)), questions, source.seed)
        ledger = Ledger(KINDS)
        card = write_shards(folder, streams, tokenizer, settings, ledger, progress)
        write_json(folder / "corpus.json", card.model_dump())
        write_json(folder / "text.json", {"documents_too_long": len(fitting.too_long)})
        write_table(ledger.frame(fact.fact_id for fact in facts), folder / "ledger.parquet")
        shown = [fact.model_copy(update={"exposure": ledger.exposure(fact.fact_id)}) for fact in facts]
        write_facts(shown, folder / "facts.parquet")
    return card


class _Fitting:
    """Lets documents through that fit into a window, and remembers the others."""

    def __init__(self, tokenizer: "PreTrainedTokenizerFast", room: int) -> None:
        self.too_long: set[str] = set()
        self._tokenizer = tokenizer
        self._room = room
        self._fits: dict[str, bool] = {}

    def of(self, documents: Sequence[Document]) -> list[Document]:
        """Return those that fit."""
        new = {document.text: document for document in documents if document.text not in self._fits}
        for one in tokenised(self._tokenizer, new.values()):
            self._fits[one.document.text] = len(one.token_ids) <= self._room
        self.too_long.update(text for text in new if not self._fits[text])
        return [document for document in documents if self._fits[document.text]]

    def each(self, documents: Iterator[Document]) -> Iterator[Document]:
        """Yield those that fit; raises `ConfigError` when hardly any does."""
        n_empty = 0
        while batch := list(islice(documents, 64)):
            fitting = self.of(batch)
            n_empty = 0 if fitting else n_empty + 1
            if n_empty == MOST_EMPTY:
                raise ConfigError(
                    f"corpus.window_tokens: questions do not fit into {self._room} tokens; raise it"
                )
            yield from fitting


def _tokenizer_texts(source: NaturalSource) -> Iterator[str]:
    """Yield the first epoch's text, questions, every probe and refusals, for the vocabulary."""
    facts, prompts = source.facts, source.prompts
    yield from (document.text for document in islice(source.texts(0), TOKENIZER_TEXTS))
    yield from (document.text for document in islice(source.questions(), 4 * len(facts)))
    maker = ProbeMaker(facts, prompts, n_variants=max(1, *(len(fact.cloze) for fact in facts)))
    for fact in facts:
        for probe in maker.probes(fact, PROBE_KINDS):
            yield from (f"{probe.prompt} {answer}" for answer in (probe.answer, *probe.distractors))
    yield from (f"{prompts.ask(facts[0].question)} {refusal}" for refusal in REFUSALS)
