"""``unequal facts check`` and ``unequal facts world``."""

from pathlib import Path

from cyclopts import App

from unequal.cli.options import settings_from
from unequal.console import say, show_table

facts = App(name="facts", help="Check a fact table, or write the synthetic world's.")


@facts.command
def check(table: Path, *, out: Path | None = None) -> None:
    """Check every row of a fact table, and write it as Parquet if asked.

    Parameters
    ----------
    table
        Fact table (.jsonl, .csv, .parquet), or country-capital for the one that comes with unequal.
    out
        Parquet file to write.
    """
    from collections import Counter  # noqa: PLC0415

    from unequal.facts.packaged import resolve_facts  # noqa: PLC0415
    from unequal.facts.table import read_facts, write_facts  # noqa: PLC0415

    found = read_facts(resolve_facts(table))
    if out is not None:
        write_facts(found, out)
    show_table(
        f"{len(found)} facts", ["relation", "facts"], Counter(fact.relation for fact in found).most_common()
    )
    if out is not None:
        say(f"written to {out}")


@facts.command
def world(*, people: int, out: Path, seed: int | None = None, config: Path | None = None) -> None:
    """Write the fact table of a synthetic world: people who do not exist, six facts about each.

    Parameters
    ----------
    people
        How many people.
    out
        Parquet file to write.
    seed
        Seed of names and facts. [default: 0]
    config
        TOML file with seed, relations and n_distractors.
    """
    from unequal.errors import ConfigError  # noqa: PLC0415
    from unequal.facts.table import write_facts  # noqa: PLC0415
    from unequal.facts.world.world import WorldSettings, build_world  # noqa: PLC0415

    if people < 1:
        raise ConfigError(f"--people must be at least 1, not {people}")
    settings = settings_from(WorldSettings, config, {"seed": seed})
    made = build_world(settings, people).facts()
    write_facts(made, out)
    say(f"{len(made)} facts about {people} people are in {out}")
