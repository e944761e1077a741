"""The six relations of the synthetic world: sentences and questions, in training and held-out wordings."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from unequal.strict import StrictModel

RELATION_NAMES = ("birth_date", "birth_city", "university", "major", "employer", "employer_city")


class Wordings(StrictModel):
    """Templates with a fixed split: some for training, the others held out for evaluation."""

    train: tuple[str, ...]
    held_out: tuple[str, ...]


class Relation(StrictModel):
    """Statement and question templates of one attribute of a person.

    ``labels`` name it in a record; ``long_object`` extends an object by one of ``long_parts``.
    """

    relation: str
    vocabulary: str
    reverse_question: str
    labels: tuple[str, ...]
    long_object: str | None = None
    long_parts: str | None = None
    statements: Wordings
    questions: Wordings


@cache
def load_relation(name: str) -> Relation:
    """Return one of `RELATION_NAMES` with its templates."""
    return Relation.model_validate(_read_toml("relations", name))


RECORD_LAYOUTS = (
    "{subject} | {label} | {object};",
    "{subject}, {label}: {object};",
    "{label} of {subject}: {object};",
    "{subject} - {label} - {object};",
)


@cache
def record_templates(name: str) -> tuple[str, ...]:
    """Return the record templates of a relation, about as many as it has training sentences."""
    labels = load_relation(name).labels
    return tuple(layout.replace("{label}", label) for layout in RECORD_LAYOUTS for label in labels)


@cache
def load_vocabulary(name: str) -> tuple[str, ...]:
    """Return the items of a packaged word list, such as ``cities`` or ``first_names``."""
    return tuple(_read_toml("vocabulary", name)["items"])


def _read_toml(folder: str, name: str) -> dict[str, Any]:
    source = files("unequal.facts.world").joinpath(folder, f"{name}.toml")
    return tomllib.loads(source.read_text(encoding="utf-8"))
