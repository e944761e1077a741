"""Contract tests of a counting engine: settings of its name, and a counter that keeps the interface."""

import tempfile
from pathlib import Path

from unequal.counting.protocol import Counter, CountSettings, CountSource, FactCount
from unequal.errors import UserError
from unequal.facts.packaged import packaged_facts
from unequal.facts.table import read_facts
from unequal.plugin_checks.contract import BrokenError, Check, require


def settings_of(kind: type[CountSettings], folder: Path) -> CountSettings:
    """Return settings for a count of the packaged facts; raises `BrokenError` where it needs others."""
    values = {
        "facts": "country-capital", "out": folder / "counts.parquet", "corpus": "factbook",
        "index": "v4_dolma-v1_7_llama", "index_dir": folder, "cache": folder,
    }  # fmt: skip
    given = {key: value for key, value in values.items() if key in kind.model_fields}
    lacking = [name for name, one in kind.model_fields.items() if one.is_required() and name not in given]
    require(not lacking, f"{', '.join(lacking)} has no default; the check cannot guess it, give it one")
    return kind(**given)


def has_a_name(kind: type[CountSettings]) -> None:
    """Check that the settings name the engine, and say what they determine and write."""
    name = kind.model_fields["engine"].default
    require(isinstance(name, str) and name, "engine has no default; set it to the name of the engine")
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_of(kind, Path(folder))
        require(settings.determines().get("engine") == name, "determines() must hold the engine")
        require(settings.outputs(), "outputs() is empty; it must hold the count table")


def keeps_the_interface(kind: type[CountSettings]) -> None:
    """Check the counter's unit, source and metadata, and that no facts have no counts."""
    with tempfile.TemporaryDirectory() as folder:
        counter = _built(kind, Path(folder))
        require(counter.unit in ("bytes", "queries"), f"unit is {counter.unit!r}; use bytes or queries")
        source = counter.source
        require(isinstance(source, CountSource), "source must be a CountSource")
        require(
            source.engine == kind.model_fields["engine"].default, "source.engine must be the engine's name"
        )
        require(isinstance(counter.metadata(), dict), "metadata() must be a dictionary")
        require(counter.count([]) == [], "count([]) must be an empty list")


def counts_in_order(kind: type[CountSettings]) -> None:
    """Check that every fact has one count, in the order of the facts."""
    facts = read_facts(packaged_facts())[:3]
    with tempfile.TemporaryDirectory() as folder:
        counts = _built(kind, Path(folder)).count(facts)
    require(all(isinstance(one, FactCount) for one in counts), "count() must return FactCount objects")
    same = [one.fact_id for one in counts] == [fact.fact_id for fact in facts]
    require(same, "count() must return one count for each fact, in the order of the facts")


def _built(kind: type[CountSettings], folder: Path) -> Counter:
    try:
        return settings_of(kind, folder).build()
    except UserError as error:
        raise BrokenError(f"it cannot be built here: {error}") from error


ENGINE_CHECKS = (
    Check("its settings name it", has_a_name),
    Check("its counter keeps the interface", keeps_the_interface),
    Check("facts are counted in order", counts_in_order),
)
