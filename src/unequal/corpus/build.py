"""Build a controlled corpus: assign people, render, tokenise, pack, and write shards with their ledger."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Protocol

from unequal.checksums import write_checksums
from unequal.corpus.assignment import Assignment, assign_people
from unequal.corpus.documents import Document, DocumentSource
from unequal.corpus.factor_ledger import with_factors
from unequal.corpus.ledger import Ledger
from unequal.corpus.packing import TokenisedDocument, Window, pack
from unequal.corpus.settings import CorpusSettings
from unequal.corpus.shards import CorpusCard, write_epoch
from unequal.corpus.tokenizers import train_tokenizer
from unequal.corpus.world_factors import factor_problem, shape_world
from unequal.errors import ConfigError
from unequal.facts.probes import PROBE_KINDS, ProbeMaker, PromptFormat
from unequal.facts.refusals import REFUSALS
from unequal.facts.schema import Fact
from unequal.facts.world.relations import load_relation, record_templates
from unequal.facts.world.world import World, WorldSettings, build_world
from unequal.facts.write import write_facts
from unequal.files import atomic_folder, write_json, write_table
from unequal.progress import Progress, no_progress
from unequal.seeds import random_stream

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


def build_corpus(
    world_settings: WorldSettings,
    settings: CorpusSettings,
    prompts: PromptFormat,
    out: Path,
    progress: Progress = no_progress,
) -> CorpusCard:
    """Write the corpus folder as a whole and return its card.

    The folder holds ``corpus.json``, ``facts.parquet`` (with role, level and exposure of each fact, and the
    levels of crossed factors), ``ledger.parquet``, ``tokenizer/``, ``windows/`` and ``documents/``. Raises
    `ConfigError` for factors that cannot be crossed in that world.
    """
    world, plan = _populated(world_settings, settings)
    facts = world.facts()
    source = DocumentSource(plan, facts, settings, prompts)
    with atomic_folder(out) as folder:
        for name in ("windows", "documents"):
            (folder / name).mkdir()
        texts = _tokenizer_texts(source, facts, prompts)
        tokenizer = train_tokenizer(texts, settings.tokenizer, settings.window_tokens, prompts.chat)
        tokenizer.save_pretrained(folder / "tokenizer")
        streams = Streams(source.biographies, source.questions(), settings.seed)
        ledger = Ledger(with_places=settings.factors is not None)
        card = write_shards(folder, streams, tokenizer, settings, ledger, progress)
        write_json(folder / "corpus.json", card.model_dump())
        table = ledger.frame(fact.fact_id for fact in facts)
        if settings.factors:
            table = with_factors(table, facts, plan, settings.factors, ledger)
        write_table(table, folder / "ledger.parquet")
        write_facts(_with_exposure(facts, plan, ledger), folder / "facts.parquet")
        write_checksums(folder)
    return card


def _populated(world_settings: WorldSettings, settings: CorpusSettings) -> tuple[World, list[Assignment]]:
    """Return the world, shaped by the factors if there are any, and everyone's assignment."""
    if problem := factor_problem(settings, world_settings):
        raise ConfigError(problem)
    world = build_world(world_settings, settings.n_people)
    plan = assign_people(world.people, settings)
    if settings.factors is None:
        return world, plan
    world = shape_world(world, plan, settings.factors)
    shaped = [replace(one, person=person) for one, person in zip(plan, world.people, strict=True)]
    return world, shaped


@dataclass(frozen=True)
class Streams:
    """What a corpus is made of: the texts of each epoch, questions without end, and a seed to mix them."""

    texts: Callable[[int], Sequence[Document]]
    questions: Iterator[Document]
    seed: int


class Shape(Protocol):
    """The settings that every kind of corpus has."""

    @property
    def epochs(self) -> int:
        """Passes over the texts."""

    @property
    def qa_ratio(self) -> float:
        """Question windows per window of text."""

    @property
    def window_tokens(self) -> int:
        """Tokens of a window."""


def write_shards(
    folder: Path,
    streams: Streams,
    tokenizer: "PreTrainedTokenizerFast",
    shape: Shape,
    ledger: Ledger,
    progress: Progress,
) -> CorpusCard:
    """Write the windows and documents of every epoch, record them in the ledger, and return the card."""
    room = shape.window_tokens - 1
    question_windows = pack(tokenised(tokenizer, streams.questions), room)
    card = CorpusCard(
        window_tokens=shape.window_tokens,
        vocabulary_size=len(tokenizer),
        end_token_id=tokenizer.eos_token_id,
        padding_token_id=tokenizer.pad_token_id,
        windows_per_epoch=(),
        n_tokens=0,
        n_documents=0,
    )
    for epoch in range(shape.epochs):
        texts = list(pack(tokenised(tokenizer, streams.texts(epoch)), room))
        questions = list(islice(question_windows, round(shape.qa_ratio * len(texts))))
        windows = _merged(texts, questions, random_stream(streams.seed, "merge", epoch))
        write_epoch(folder, epoch, windows, card)
        for window in windows:
            ledger.record(window, epoch)
        card = card.model_copy(
            update={
                "windows_per_epoch": (*card.windows_per_epoch, len(windows)),
                "n_tokens": card.n_tokens + sum(shape.window_tokens - w.room for w in windows),
                "n_documents": card.n_documents + sum(len(window.documents) for window in windows),
            }
        )
        progress(epoch + 1, shape.epochs)
    return card


def _merged(first: Sequence[Window], second: Sequence[Window], stream: Random) -> list[Window]:
    """Return both lists shuffled into each other, each keeping its own order."""
    from_second = [False] * len(first) + [True] * len(second)
    stream.shuffle(from_second)
    remaining = {False: iter(first), True: iter(second)}
    return [next(remaining[choice]) for choice in from_second]


def tokenised(
    tokenizer: "PreTrainedTokenizerFast", documents: Iterable[Document]
) -> Iterator[TokenisedDocument]:
    """Yield the documents with their tokens and the end-of-text token after them."""
    stream = iter(documents)
    encode = tokenizer.backend_tokenizer.encode_batch_fast  # without the offsets nobody reads
    while batch := list(islice(stream, 512)):
        encoded = encode([document.text for document in batch], add_special_tokens=False)
        for document, encoding in zip(batch, encoded, strict=True):
            yield TokenisedDocument(document, [*encoding.ids, tokenizer.eos_token_id])


def _tokenizer_texts(source: DocumentSource, facts: Sequence[Fact], prompts: PromptFormat) -> Iterator[str]:
    """Yield the first epoch's text, all that later epochs may add, every probe, and refusals.

    No word may be unknown, and one that begins a document is another token than one after a space.
    In a chat prompts follow a space too.
    """
    space = " " if prompts.chat else ""
    yield from (document.text for document in source.biographies(0))
    yield from (document.text for document in islice(source.questions(), 4 * len(facts)))
    yield from _every_wording(facts, prompts, source.shows_records)
    maker = ProbeMaker(facts, prompts, n_variants=max(len(fact.cloze) for fact in facts))
    for fact in facts:
        for probe in maker.probes(fact, PROBE_KINDS):
            answers = (probe.answer, *probe.distractors)
            yield from (f"{space if probe.chat else ''}{probe.prompt} {answer}" for answer in answers)
    yield from (f"{prompts.ask(facts[0].question)} {refusal}" for refusal in REFUSALS)
    if prompts.system:
        yield f" {prompts.system}"


def _every_wording(facts: Sequence[Fact], prompts: PromptFormat, records: bool) -> Iterator[str]:
    """Yield every subject, object and training template, at the start of a text and within it."""
    for fact in facts:
        yield f"{fact.object} {fact.subject}"
        yield f"{fact.subject} {fact.object}"
    for relation, fact in {fact.relation: fact for fact in facts}.items():
        wordings = load_relation(relation)
        questions = (prompts.ask(text) for text in wordings.questions.train)
        lines = record_templates(relation) if records else ()
        for text in (*wordings.statements.train, *lines, *questions):
            sentence = text.replace("{subject}", fact.subject).replace("{object}", fact.object)
            yield f"{sentence} {sentence}"


def _with_exposure(facts: Sequence[Fact], plan: Sequence[Assignment], ledger: Ledger) -> list[Fact]:
    assigned = {assignment.person.person_id: assignment for assignment in plan}
    return [
        fact.model_copy(
            update={
                "role": assigned[person_id].role,
                "exposure": ledger.exposure(fact.fact_id),
                "level": assigned[person_id].level,
                **assigned[person_id].factors,
            }
        )
        for fact in facts
        for person_id in [fact.fact_id.split(":")[0]]
    ]
