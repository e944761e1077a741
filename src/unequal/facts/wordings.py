"""Wording templates of relations: some for training, others held out for evaluation."""

import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path

from pydantic import Field

from unequal.config import build, read_toml
from unequal.facts.schema import Fact
from unequal.facts.world.relations import Wordings
from unequal.facts.world.world import cloze_prefix
from unequal.strict import StrictModel


class RelationWordings(StrictModel):
    """Statement and question templates of a relation; ``names`` are the relation's names in tables."""

    relation: str
    names: tuple[str, ...] = Field(min_length=1)
    reverse_question: str
    statements: Wordings
    questions: Wordings

    def training_questions(self, fact: Fact) -> list[str]:
        """Return the fact's questions in training wordings, except those used in evaluation."""
        return _without_tests(fact, (phrase(text, fact) for text in self.questions.train))

    def training_statements(self, fact: Fact, answer: str | None = None) -> list[str]:
        """Return the fact's statements in training wordings, except those used in evaluation.

        ``answer`` replaces its object.
        """
        return _without_tests(fact, (phrase(text, fact, answer) for text in self.statements.train))


def read_wordings(paths: Iterable[Path] = ()) -> dict[str, RelationWordings]:
    """Return the wordings of the package and of the files, by name of the relation; files take precedence.

    Raises `ConfigError` for a file that cannot be read or has no wordings.
    """
    found = [*_packaged(), *(build(RelationWordings, read_toml(path), str(path)) for path in paths)]
    return {name: one for one in found for name in one.names}


def with_held_out_wordings(fact: Fact, wordings: Mapping[str, RelationWordings]) -> Fact:
    """Return the fact with held-out wordings filled in, if it has none and its relation has templates."""
    known = wordings.get(fact.relation)
    if known is None:
        return fact
    name = in_a_sentence(fact)
    held_out = {
        "paraphrases": tuple(phrase(text, fact) for text in known.questions.held_out),
        "cloze": tuple(cloze_prefix(text, name) for text in known.statements.held_out),
        "reverse_question": known.reverse_question.replace("{object}", fact.object),
    }
    return fact.model_copy(
        update={column: value for column, value in held_out.items() if not getattr(fact, column)}
    )


def held_out_texts(fact: Fact) -> list[str]:
    """Return all evaluation texts of the fact that name its subject."""
    return [fact.question, *fact.paraphrases, *fact.cloze]


def phrase(template: str, fact: Fact, answer: str | None = None) -> str:
    """Return a template filled with the fact's names, with a capital first letter."""
    text = template.replace("{subject}", in_a_sentence(fact)).replace("{object}", answer or fact.object)
    return text[:1].upper() + text[1:]


def in_a_sentence(fact: Fact) -> str:
    """Return the subject as written in the fact's own question, with its article if it has one."""
    bare = fact.subject.removeprefix("The ")
    return f"the {bare}" if f" the {bare}" in fact.question else fact.subject


def _without_tests(fact: Fact, texts: Iterable[str]) -> list[str]:
    tests = [text.casefold() for text in held_out_texts(fact)]
    return [text for text in texts if not any(test in text.casefold() for test in tests)]


@cache
def _packaged() -> tuple[RelationWordings, ...]:
    folder = files("unequal.facts").joinpath("data", "wordings")
    texts = (entry.read_text(encoding="utf-8") for entry in folder.iterdir() if entry.name.endswith(".toml"))
    found = (RelationWordings.model_validate(tomllib.loads(text)) for text in texts)
    return tuple(sorted(found, key=lambda one: one.relation))
