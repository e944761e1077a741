"""Unlearn facts from a model."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from unequal.api.general import General, general_settings
from unequal.api.models import load
from unequal.api.results import Summary, Unlearned, mean_of, percent
from unequal.api.roles import by_role
from unequal.config import build
from unequal.console import progress_bar
from unequal.evaluation.general_table import sentences
from unequal.evaluation.known_by import KNOWN_BY, KnownBy, known_of, require_known

if TYPE_CHECKING:
    from unequal.evaluation.unlearning_run import RunScores
    from unequal.unlearning.method import Method
    from unequal.unlearning.run import Run
    from unequal.unlearning.settings import UnlearnSettings

BUDGET = 0.1
"""Share of the probability of untouched answers that a run may cost before it stops."""
_ROWS = {"facts to forget": "forget", "facts to retain": "retain", "untouched facts": "utility"}


def unlearn(
    model: Any,
    forget: Any,
    method: "str | Mapping[str, Any] | Method" = "npo",
    *,
    retain: Any = None,
    utility: Any = None,
    never_seen: Any = None,
    learning_rate: float | None = None,
    budget: float | None = BUDGET,
    seed: int = 0,
    known_by: KnownBy = KNOWN_BY,
    allow_unknown: bool = False,
    general: General = True,
    **settings: Any,
) -> Unlearned:
    """Return a copy of a model that was made to forget facts, with its scores along the way.

    ``method`` is a name (see ``unequal list methods``), a table with ``kind`` and settings, or a `Method`.
    ``retain`` are the facts that training keeps, and ``utility`` facts that are never trained on; where they
    are not given, both are drawn from the rest of the table that ``forget`` was sampled from. The run stops,
    and goes back a step, when the utility facts have lost the share ``budget`` of their probability; None
    never stops. Without a ``learning_rate``, and unless ``method`` states one, it is found by a short trial
    whose rate rises until the budget is spent. The model is evaluated before and after; ``evaluate_at=(5,)``
    adds steps. ``general`` adds what is about no fact, such as perplexity: true, false, or settings of
    ``[general]``. ``settings`` are those of ``[unlearn]``, such as ``steps=40`` or ``adapter={"rank": 8}``.
    Raises `DataError` when the model says none of the facts, unless ``allow_unknown``, and `DivergedError`.
    """
    from unequal.evaluation.unlearning_run import Evaluations, unlearn_and_evaluate
    from unequal.general_utility.measure import GeneralUtility
    from unequal.scoring.encoding import Encoder
    from unequal.unlearning.run import Run
    from unequal.unlearning.targets import Controls

    asked = load(model).copy()
    facts = by_role(forget, retain, utility, never_seen, seed)
    chosen = _unlearn_settings(settings, budget if facts.utility else None)
    how = _method(method)
    encoder = Encoder(asked.tokenizer)
    beside = GeneralUtility(general_settings(general), asked.model, encoder, facts.all, asked.prompts)
    text = beside.text if chosen.stopping.perplexity_rise is not None else None
    run = Run(
        asked.model, encoder, how, facts.forget, facts.retain, chosen, asked.prompts,
        seed, Controls(facts.utility, facts.never_seen, text),
    )  # fmt: skip
    if learning_rate is None and budget is not None and facts.utility and not _states_rate(method):
        learning_rate = _found_rate(run, budget)
    if learning_rate is not None:
        how = how.model_copy(update={"learning_rate": learning_rate})
    with progress_bar(f"unlearning by {how.kind}") as progress:
        run = replace(run, method=how, progress=progress)
        evaluations = beside.around(Evaluations.of(run, facts, ["question"]), how.prompt_prefix(facts.forget))

        def check(step: int, tables: Any) -> None:
            if step == 0 and not allow_unknown:
                known = known_of(tables.scores, known_by, ["forget"])
                require_known(known, f"{asked.name} says none")

        found = unlearn_and_evaluate(run, evaluations, after_evaluation=check)
    if found.diverged:
        raise found.diverged
    summary = _unlearned_summary(asked.name, how.kind, found, known_by)
    return Unlearned(
        found.scores, found.generations, summary, asked, found.stopped, how.learning_rate, found.general
    )


def _unlearn_settings(settings: Mapping[str, Any], budget: float | None) -> "UnlearnSettings":
    from unequal.unlearning.settings import UnlearnSettings

    rules = {} if budget is None else {"utility_drop": budget}
    stopping = {**rules, **dict(settings.get("stopping", {}))}
    first_and_last = {"evaluate_at": (0,)}
    return build(UnlearnSettings, {**first_and_last, **settings, "stopping": stopping}, "unlearn")


def _method(method: "str | Mapping[str, Any] | Method") -> "Method":
    from unequal.strict import StrictModel
    from unequal.unlearning.method import Method, MethodSettings

    class Chosen(StrictModel):
        method: MethodSettings

    return method if isinstance(method, Method) else build(Chosen, {"method": method}, "unlearn").method


def _states_rate(method: "str | Mapping[str, Any] | Method") -> bool:
    """Return whether a method comes with a learning rate that its author or the user chose for this model."""
    if isinstance(method, str):
        return False
    return "learning_rate" in (method if isinstance(method, Mapping) else method.model_fields_set)


def _found_rate(run: "Run", budget: float) -> float:
    """Return the learning rate of a run that forgets as much as the budget of utility allows."""
    from unequal.unlearning.rate_range import find_rate

    with progress_bar("finding the learning rate") as progress:
        return find_rate(run, run.controls.utility, budget, progress)


def _unlearned_summary(name: str, method: str, found: "RunScores", known_by: KnownBy) -> Summary:
    first, last = (found.tables[step].scores for step in (0, max(found.tables)))
    rows = []
    for what, role in _ROWS.items():
        if mean_of(first, "answer_prob", role) is None:
            continue
        values = [mean_of(one, metric, role) for metric in (known_by, "answer_prob") for one in (first, last)]
        rows.append((what, *map(percent, values)))
    columns = ("", "said before", "said after", "probable before", "probable after")
    stopped = [found.stopped.sentence()] if found.stopped else []
    notes = (*sentences(found.general_changes), *stopped)
    return Summary(f"{name} unlearned by {method}", columns, tuple(rows), notes)
