"""Packaged data: the text of the CIA World Factbook, and a fact table of countries and capitals."""

from importlib.resources import files
from pathlib import Path

FACTS_NAME = "country-capital"
CORPUS_NAME = "factbook"


def packaged_facts() -> Path:
    """Return the path of the fact table of countries and their capitals."""
    return _data_file("country_capital.csv")


def packaged_corpus() -> Path:
    """Return the path of the text of the CIA World Factbook, a `.jsonl.zst` shard of 261 documents."""
    return _data_file("factbook-000.jsonl.zst")


def resolve_facts(facts: Path) -> Path:
    """Return the packaged table's path for the name ``country-capital``, and any other path unchanged."""
    return packaged_facts() if str(facts) == FACTS_NAME else facts


def resolve_corpus(corpus: str) -> str:
    """Return the packaged shard's path for the name ``factbook``, and any other glob unchanged."""
    return str(packaged_corpus()) if corpus == CORPUS_NAME else corpus


def _data_file(name: str) -> Path:
    return Path(str(files("unequal.facts").joinpath("data", name)))
