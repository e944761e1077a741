"""Prompt search: the prompt format in which a model answers most of its questions."""

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from unequal.errors import DataError
from unequal.evaluation.evaluate import Tables, evaluate
from unequal.evaluation.known_by import KnownBy, known_of
from unequal.facts.probes import PromptFormat, SolvedExample
from unequal.facts.schema import Fact
from unequal.forgetting.beginnings import with_beginnings
from unequal.models.checkpoint import Checkpoint
from unequal.seeds import random_stream

LINES = "Question: {question}\nAnswer:"
N_ASKED = 20
"""Facts that each format is tried on."""
N_EXAMPLES = 2


class Asked(NamedTuple):
    """A prompt format, what it is called, and what the model says in it."""

    name: str
    prompts: PromptFormat
    said: float
    probability: float

    def sentence(self) -> str:
        """Return it in words."""
        return f"{self.name}: {self.said:.0%} said, answers {self.probability:.2f} probable"


def try_formats(
    checkpoint: Checkpoint,
    facts: Sequence[Fact],
    others: Sequence[Fact],
    stored: PromptFormat | None,
    known_by: KnownBy,
    seed: int,
) -> list[Asked]:
    """Return the formats tried, the one in which the model says most first.

    Each is tried on a few facts and others of their relations. Between equals the one with more probable
    answers wins, then the earlier one. ``stored`` is the format stored with the model, and solved examples
    are taken from the ``others``.
    """
    near = [fact for fact in others if fact.relation in {one.relation for one in facts}]
    drawn = random_stream(seed, "asking").sample(list(facts), min(N_ASKED, len(facts)))
    some, table = [*drawn, *near][:N_ASKED], [*facts, *others]
    found: list[Asked] = []
    problem: DataError | None = None
    for name, prompts in _formats(checkpoint, others, stored, seed).items():
        try:
            found += _tried(checkpoint, some, table, name, prompts, known_by)
        except DataError as error:  # such as a prompt longer than the model's window
            problem = error
        if found and all(fact.is_completion for fact in facts):
            break  # which are plain text in every format
    if problem and not found:
        raise problem
    return sorted(found, key=lambda one: (-one.said, -one.probability))


def _tried(
    checkpoint: Checkpoint,
    facts: Sequence[Fact],
    table: Sequence[Fact],
    name: str,
    prompts: PromptFormat,
    known_by: KnownBy,
) -> list[Asked]:
    """Return what is said in a format; in a chat also with answers scored behind what is said before them."""

    def tables_of(some: Sequence[Fact], asked: PromptFormat, metrics: Sequence[str]) -> Tables:
        return evaluate(
            checkpoint.model, checkpoint.tokenizer, some, asked, probes=["question"], metrics=metrics,
            table=table,
        )  # fmt: skip

    tables = tables_of(facts, prompts, [known_by, "answer_prob"])
    known = known_of(tables.scores, known_by)
    bare = Asked(name, prompts, known.said or 0.0, known.probability or 0.0)
    if not prompts.chat or prompts.answer_after == "statement":
        return [bare]
    begun = with_beginnings(facts, texts_of(tables))
    behind = prompts.model_copy(update={"answer_after": "statement"})
    again = known_of(tables_of(begun, behind, ["answer_prob"]).scores, known_by)
    sentences = Asked(f"{name}, answers in sentences", behind, bare.said, again.probability or 0.0)
    return [bare, sentences]


def texts_of(tables: Tables) -> dict[str, str]:
    """Return the generated answer to each fact's question, by fact id."""
    asked = tables.generations.filter(pl.col("probe") == "question")
    return dict(asked.select("fact_id", "generation").iter_rows())


def _formats(
    checkpoint: Checkpoint, others: Sequence[Fact], stored: PromptFormat | None, seed: int
) -> dict[str, PromptFormat]:
    formats = {} if stored is None else {"as stored with the model": stored}
    if checkpoint.tokenizer.chat_template and PromptFormat(chat=True) not in formats.values():
        formats["in its chat template"] = PromptFormat(chat=True)
    formats["in plain text"] = PromptFormat(question=LINES)
    asked = [fact for fact in others if not fact.is_completion]
    if examples := random_stream(seed, "examples").sample(asked, min(N_EXAMPLES, len(asked))):
        solved = tuple(SolvedExample(question=one.question, answer=one.answer) for one in examples)
        formats["in plain text after solved questions"] = PromptFormat(question=LINES, examples=solved)
    return formats
