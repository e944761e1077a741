"""The attacks of an audit: each is run, again for the facts it trained on, or left out by name."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from unequal.attacks.attack import ROW_SCHEMA
from unequal.attacks.evaluate import TAUGHT
from unequal.auditing.evidence import ATTACK_METRICS
from unequal.auditing.lacking import gaps, is_lacking
from unequal.errors import DataError

if TYPE_CHECKING:
    from unequal.attacks.attack import Attack, AttackContext

MAX_RUNS = 4
"""Of one attack, until each fact to forget was held out of one of them."""
N_DRAWS = 100
"""Seeds of which a further run takes the one that trains on fewest of the facts still to be judged."""


def attack_all(
    attacks: Sequence["Attack"],
    context: "AttackContext",
    computing: Callable[[], AbstractContextManager[None]],
    progress: Callable[[int], None],
) -> tuple[pl.DataFrame, list[str]]:
    """Return the rows of all attacks, and a sentence about each that was left out, or for some facts.

    Left out is what the facts do not allow, or the kind of model; ``progress`` is told how many are done.
    """
    parts, notes = [pl.DataFrame(schema=ROW_SCHEMA)], []
    for done, attack in enumerate(attacks, start=1):
        rows, note = _attempt(attack, context, computing)
        parts.append(rows)
        notes += note
        progress(done)
    return pl.concat(parts), notes


def _attempt(
    attack: "Attack", context: "AttackContext", computing: Callable[[], AbstractContextManager[None]]
) -> tuple[pl.DataFrame, list[str]]:
    nothing = pl.DataFrame(schema=ROW_SCHEMA)
    left_out = f"attack {attack.name} was left out: "
    if attack.needs_kept and not context.kept:
        return nothing, [f"{left_out}it needs facts that should survive, and none were given"]
    try:
        with computing():
            rows = _run(attack, context)
    except DataError as error:
        return nothing, [f"{left_out}{error}"]
    evidence = [f"{attack.name}_{metric}" for metric in attack.metrics if metric in ATTACK_METRICS]
    own = rows.filter(pl.col("role") == "forget", pl.col("metric").is_in(evidence))
    lacking = is_lacking(pl.col("reason"))
    without = own.filter(pl.col("value").is_null())
    if own.height and without.filter(lacking | (pl.col("reason") == TAUGHT)).height == own.height:
        return nothing, [f"{left_out}{gaps(own, pl.lit(True))}"]
    n_lacking = without.filter(lacking)["fact_id"].n_unique()
    if not n_lacking:
        return rows, []
    of = own["fact_id"].n_unique()
    reasons = gaps(own, lacking)
    return rows, [f"attack {attack.name} was left out for {n_lacking} of {of} facts to forget ({reasons})"]


def _run(attack: "Attack", context: "AttackContext") -> pl.DataFrame:
    """Return the attack's rows; facts that it trained on are judged by further runs that train on others."""
    rows = attack.run(context)
    for _ in range(MAX_RUNS - 1):
        taught = pl.col("value").is_null() & (pl.col("reason") == TAUGHT)
        waiting = frozenset(rows.filter(taught)["fact_id"])
        seed = _least_taught(attack, context, waiting)
        if seed is None:
            break
        rows = _filled(rows, attack.run(replace(context, seed=seed)), taught)
    return rows


def _least_taught(attack: "Attack", context: "AttackContext", waiting: frozenset[str]) -> int | None:
    """Return the seed with which the attack trains on fewest of these facts; None if on all of them."""
    if not waiting:
        return None
    seeds = range(context.seed + 1, context.seed + 1 + N_DRAWS)
    overlap, seed = min((len(attack.trained_on(replace(context, seed=one)) & waiting), one) for one in seeds)
    return seed if overlap < len(waiting) else None


def _filled(rows: pl.DataFrame, again: pl.DataFrame, taught: pl.Expr) -> pl.DataFrame:
    keys = ["fact_id", "metric"]
    joined = rows.join(
        again.select(*keys, "value", "reason"), on=keys, how="left", suffix="_again", maintain_order="left"
    )
    filled = [
        pl.when(taught).then(f"{name}_again").otherwise(name).alias(name) for name in ("value", "reason")
    ]
    return joined.with_columns(filled).select(rows.columns)
