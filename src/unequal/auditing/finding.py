"""What an audit found, in sentences: what could not be judged and why, what is left, what was lost."""

from collections.abc import Mapping
from typing import Any

from unequal.auditing.lacking import listed
from unequal.evaluation.general_table import loss_of, sentences

NOTHING_KNOWN = "the first model knew none of the facts, so there was nothing to judge"
MUCH_LOST = 0.1
"""From this share on a loss stands in the sentence that says that nothing finds a fact: it is no success."""
ALL_UNJUDGED = "none of the facts that the first model knew could be judged"


def nothing_judged(summary: Mapping[str, Any]) -> str | None:
    """Return why an audit judged nothing, None if it judged something."""
    if not summary["n_known"]:
        return NOTHING_KNOWN
    return ALL_UNJUDGED if summary["n_known"] == _number(summary, "unjudged") else None


def finding(summary: Mapping[str, Any]) -> list[str]:
    """Return the headline, and below it what a reader must know at once.

    The headline says first what could not be judged, so that it never reads as success where nothing was.
    """
    below = [one for one in (_why(summary), _parts(summary), *_general(summary)) if one]
    found, lost = _left(summary), _lost(summary)
    worst = _worst_loss(summary)
    if found.startswith("Nothing finds") and worst is not None and worst > MUCH_LOST:
        found, lost = (
            f"{found.removesuffix('.')}, but of what should survive {worst:.0%} was lost at worst.",
            "",
        )
    return [" ".join(one for one in (_unjudged(summary), found, lost) if one), *below]


def _unjudged(summary: Mapping[str, Any]) -> str:
    known, unjudged = summary["n_known"], _number(summary, "unjudged")
    if not known:
        return f"Nothing was judged: the first model knew none of the {summary['n_facts']} facts."
    if not unjudged:
        return ""
    why = listed(_reasons(summary), 1)
    return f"Not judged: {unjudged} of {known} facts{f' ({why})' if why else ''}."


def _left(summary: Mapping[str, Any]) -> str:
    known, unjudged = summary["n_known"], _number(summary, "unjudged")
    n_left, judged = _number(summary, "left"), known - unjudged
    if not judged:
        return ""
    if n_left:
        return f"{n_left} of {known} facts {'is' if n_left == 1 else 'are'} still in the model."
    if unjudged:
        return f"Nothing finds the other {judged if judged > 1 else 'one'}."
    return (
        f"Nothing finds {f'any of the {known} facts' if known > 1 else 'the one fact'} that the model knew."
    )


def _lost(summary: Mapping[str, Any]) -> str:
    worst = _worst_loss(summary)
    if worst is not None:
        return f"Of what should survive, {worst:.0%} was lost at worst."
    if summary["utility"]:
        return "The first model knew nothing of what should survive, so its loss cannot be judged."
    return "What else was lost is not known: no facts that should survive were given."


def _worst_loss(summary: Mapping[str, Any]) -> float | None:
    losses = [row["loss"]["value"] for row in summary["utility"] if row["loss"]["value"] is not None]
    return max(max(losses), 0.0) if losses else None


def _general(summary: Mapping[str, Any]) -> list[str]:
    """Return a sentence on each part of general utility that got much worse."""
    rows = [row for row in summary.get("general", []) if (loss_of(row) or 0.0) > MUCH_LOST]
    return [f"Worse in general: {sentence}." for sentence in sentences(rows)]


def _why(summary: Mapping[str, Any]) -> str:
    reasons = _reasons(summary)
    return f"Why facts could not be judged: {listed(reasons, 5)}." if len(reasons) > 1 else ""


def _parts(summary: Mapping[str, Any]) -> str:
    rows = {row["verdict"]: row for row in summary["verdicts"]}
    luck = rows["left"].get("never_seen")
    beside = f"Of facts that it never saw, {luck:.0%} look the same." if luck is not None else ""
    still, hidden = rows["still there"]["n_facts"], rows["suppressed"]["n_facts"]
    if not still + hidden:
        return beside if summary["n_known"] > _number(summary, "unjudged") else ""
    parts = f"Still there as before: {still}. No longer said, but found by other evidence: {hidden}."
    return f"{parts} {beside}".strip()


def _reasons(summary: Mapping[str, Any]) -> list[tuple[str, int]]:
    return [(one["reason"], one["n_facts"]) for one in summary.get("unjudged", [])]


def _number(summary: Mapping[str, Any], verdict: str) -> int:
    return next((int(row["n_facts"]) for row in summary["verdicts"] if row["verdict"] == verdict), 0)
