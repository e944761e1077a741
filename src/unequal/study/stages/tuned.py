"""What a file of trials found, as settings of ``unequal unlearn --tuned``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unequal.config import build
from unequal.errors import ConfigError, DataError, did_you_mean
from unequal.facts.role_tables import FactTables
from unequal.study.stages.trials_file import TrialsFile, read_trials
from unequal.study.stages.tune import TuneCommand
from unequal.unlearning.method import Method
from unequal.unlearning.search import Trial, chosen_trial, search

SHARED = (
    *FactTables.model_fields,
    "model", "unlearn", "prompts", "known_by", "allow_unknown", "seed", "merge_adapter",
)  # fmt: skip
"""Settings that ``unlearn`` takes from the search as they are."""


class _UnfinishedError(Exception):
    """A trial of the search was not made."""


def with_tuned(given: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return the given settings on top of those that a file of trials found.

    Those are the best method, its rate and steps, the utility budget as stopping rule, and all else that the
    search shares with ``unlearn``. A given method is taken with the rate that was found for it, and given
    facts replace all those of the search. Raises `DataError` for a file of something else, or unfinished.
    """
    held = read_trials(path)
    search_settings = build(TuneCommand, {**held.settings, "out": str(path)}, str(path))
    found = tuned_settings(held, search_settings, path, _kind_of(given.get("method")))
    if any(given.get(name) for name in ("facts", "forget")):
        found = {name: value for name, value in found.items() if name not in FactTables.model_fields}
    return _over(found, given)


def tuned_settings(
    held: TrialsFile, settings: TuneCommand, path: Path, kind: str | None = None
) -> dict[str, Any]:
    """Return the settings of ``unlearn`` that trials found for a method, by default for the best one."""
    kinds = [method.kind for method in settings.compared]
    if kind is not None and kind not in kinds:
        hint = did_you_mean(kind, kinds)
        raise ConfigError(f"{path} has no trials of {kind}{hint} (there are: {', '.join(kinds)})")
    budget = settings.search.utility_drop
    try:
        trials = [(one, _chosen(held, settings, one)) for one in settings.compared]
    except _UnfinishedError as error:
        raise DataError(
            f"{path} is unfinished: {len(held.trials)} of {settings.n_trials} trials are made; the same"
            " unequal tune makes the rest"
        ) from error
    candidates = [(method, trial) for method, trial in trials if kind in (None, method.kind)]
    method, trial = best_method(candidates, budget)
    if trial.forgetting(budget) <= 0:
        raise DataError(
            f"no rate of {path} forgets anything within {budget:.0%} of utility; search lower ones:"
            f" unequal tune --search.lowest {settings.search.lowest / 100:.1g}"
        )
    dumped = settings.model_dump(mode="json", include=set(SHARED), exclude_defaults=True)
    rated = {**method.model_dump(mode="json", exclude_defaults=True), "kind": method.kind}
    rule = {"steps": trial.steps, "stopping": {"utility_drop": budget}}
    return _over(dumped, {"method": {**rated, "learning_rate": trial.rate}, "unlearn": rule})


def best_method(found: list[tuple[Method, Trial]], budget: float) -> tuple[Method, Trial]:
    """Return the method whose chosen trial forgets most within the budget; ties go to the first."""
    return max(found, key=lambda one: one[1].forgetting(budget))


def _chosen(held: TrialsFile, settings: TuneCommand, method: Method) -> Trial:
    def known(rate: float, steps: int) -> Trial:
        if (trial := held.find(method.kind, rate, steps)) is None:
            raise _UnfinishedError
        return trial

    made = list(search(settings.search, settings.unlearn.steps, known))
    return chosen_trial(made, settings.search.utility_drop)


def _kind_of(method: Any) -> str | None:
    """Return the kind of a method as settings give it: a name, a table, or settings made already."""
    if isinstance(method, str):
        return method
    kind = method.get("kind") if isinstance(method, Mapping) else getattr(method, "kind", None)
    return kind if isinstance(kind, str) else None


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with others on top; tables are merged, and a name over a table is its kind."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        if isinstance(under, Mapping) and isinstance(value, str):
            merged[key] = {**under, "kind": value}
        elif isinstance(under, Mapping) and isinstance(value, Mapping):
            merged[key] = _over(under, value)
        else:
            merged[key] = value
    return merged
