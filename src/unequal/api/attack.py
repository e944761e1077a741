"""Attack an unlearned model."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from unequal.api.facts import read_facts
from unequal.api.models import load
from unequal.api.results import Attacked, Summary, mean_of, percent
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
        (f"{one.name}: {metric}", mean_of(found.scores, f"{one.name}_{metric}", "forget"))
        for one in chosen
        for metric in one.metrics
    ]
    table = pl.DataFrame(rows, schema={"attack": pl.String, "share": pl.Float64}, orient="row")
    shown = tuple((name, percent(share)) for name, share in rows)
    title = f"{asked.name}: {len(by_role.forget)} facts to forget"
    return Attacked(found.scores, found.generations, Summary(title, ("attack", "share"), shown), table)


def _attacks(attacks: Any) -> "list[Attack]":
    from unequal.attacks.attack import Attack
    from unequal.auditing.settings import AuditOptions

    several = attacks if isinstance(attacks, list | tuple) else [attacks]
    own = [one for one in several if isinstance(one, Attack)]
    named = [one for one in several if not isinstance(one, Attack)]
    return [*own, *build(AuditOptions, {"attacks": named}, "attack").attacks] if named else own
