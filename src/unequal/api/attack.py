"""Attack an unlearned model."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from unequal.api.facts import read_facts
from unequal.api.models import load
from unequal.api.results import Attacked, Summary, percent
from unequal.config import build
from unequal.console import progress_bar
from unequal.evaluation.known_by import KNOWN_BY, KnownBy, known_of
from unequal.facts.roles import FactsByRole

if TYPE_CHECKING:
    from unequal.attacks.attack import Attack


def attack(
    model: Any,
    facts: Any,
    attacks: "str | Mapping[str, Any] | Attack | Sequence[Any]" = "relearn",
    *,
    seed: int = 0,
    known_by: KnownBy = KNOWN_BY,
) -> Attacked:
    """Return the facts that attacks on a model bring back, beside those that it says without them.

    Facts without a role are to be forgotten; facts to retain and untouched ones are what an attacker may
    know, and never-seen ones are the control. ``attacks`` are names (see ``unequal list attacks``), tables
    with ``kind`` and settings, or `Attack`. Raises `DataError` when an attack needs facts of a role that is
    missing.
    """
    from unequal.attacks.run import attack as run

    asked, by_role = load(model), FactsByRole.of(read_facts(facts))
    chosen = _attacks(attacks)
    with progress_bar("attacking") as progress:
        found = run(
            asked.model, asked.tokenizer, by_role, chosen, asked.prompts, seed=seed, progress=progress
        )
    rows = [("as it is", known_of(found.scores, known_by, ["forget"]).said)]
    rows += [
        (f"{one.name}: {metric}", _mean(found.scores, f"{one.name}_{metric}"))
        for one in chosen
        for metric in one.metrics
    ]
    table = pl.DataFrame(rows, schema={"attack": pl.String, "mean": pl.Float64}, orient="row")
    shown = tuple((name, _shown(name, value)) for name, value in rows)
    title = f"{asked.name}: {len(by_role.forget)} facts to forget"
    return Attacked(found.scores, found.generations, Summary(title, ("attack", "mean"), shown), table)


def _mean(scores: pl.DataFrame, metric: str) -> float | None:
    """Return the mean of an attack's metric over the facts to forget, in whatever wording it asks."""
    rows = scores.filter((pl.col("metric") == metric) & (pl.col("role") == "forget"))
    found = rows["value"].mean()
    return None if found is None else float(found)  # type: ignore[arg-type]


def _shown(name: str, value: float | None) -> str:
    return f"{value:.1f}" if value is not None and name.endswith("_rank") else percent(value)


def _attacks(attacks: Any) -> "list[Attack]":
    from unequal.attacks.attack import Attack
    from unequal.auditing.settings import AuditOptions

    several = attacks if isinstance(attacks, list | tuple) else [attacks]
    own = [one for one in several if isinstance(one, Attack)]
    named = [one for one in several if not isinstance(one, Attack)]
    return [*own, *build(AuditOptions, {"attacks": named}, "attack").attacks] if named else own
