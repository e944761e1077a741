"""One self-contained HTML file from an audit: the verdicts, what they rest on, and every fact."""

from typing import Any

import polars as pl
from markupsafe import Markup

from unequal.auditing.finding import finding, nothing_judged
from unequal.auditing.verdicts import VERDICTS
from unequal.evaluation.general_table import loss_of
from unequal.evaluation.known_by import READINGS
from unequal.report.page import asset, environment
from unequal.report.scripts import page_scripts

MAX_LISTED = 20_000
"""Facts up to which the page lists all of them."""
MAX_TEXT = 120
MEANINGS = {
    "still there": "the right answer is still generated, in at least one wording; or only other evidence"
    " showed it before, and still does",
    "suppressed": "no longer generated, but other evidence finds it more often than luck would",
    "gone": "no evidence finds it",
    "unjudged": "some evidence could not be had",
    "not known before": "there was nothing to unlearn",
    "left": "still there or suppressed",
}
ROLES = {"forget": "to forget", "never_seen": "never seen", "retain": "retained", "neighbour": "neighbours"}
WHAT = {"text": "held-out text", "generation": "", "task": "lm-eval"}
COLUMNS = ("subject", "relation", "answer", "verdict", "evidence", "count", "said_before", "said_after")


def render_audit(facts: pl.DataFrame, summary: dict[str, Any]) -> str:
    """Return the page as one HTML text that needs no network; what facts hold stays text."""
    verdicts = {row["verdict"]: row for row in summary["verdicts"]}
    settings = summary["settings"]
    return (
        environment()
        .get_template("audit.html.j2")
        .render(
            name="audit",
            finding=finding(summary),
            outcome=_outcome(summary),
            unjudged=summary.get("unjudged", []),
            sample=_sample(summary),
            summary=summary,
            bars=_bars(summary, verdicts),
            counted=[{**row, "parts": _parts(row, row["n_facts"])} for row in summary["by_count"]],
            verdicts=[row for name in MEANINGS for row in summary["verdicts"] if row["verdict"] == name],
            meanings=MEANINGS,
            general=[
                {**row, "what": WHAT[row["kind"]], "loss": loss_of(row)} for row in summary.get("general", [])
            ],
            roles=ROLES,
            listed=facts.height <= MAX_LISTED,
            settings={key: value for key, value in settings.items() if value is not None},
            light={},
            dark={},
            style=Markup(asset("report.css") + asset("audit.css")),  # our own files
            code=page_scripts({}, _listed(facts), "audit.js", charts=False),
        )
    )


def _outcome(summary: dict[str, Any]) -> tuple[str, str, str]:
    """Return what the audit comes to: its class on the page, its first words, and the sentence after them."""
    nothing, lines = nothing_judged(summary), summary["policy"]
    if nothing:
        return "unclear", "Nothing was judged,", f"so this audit has not passed: {nothing}."
    if not lines:
        return "", "No policy was stated,", "so nothing passes or fails here."
    failing = [line for line in lines if not line["holds"]]
    n_unclear = sum(line["found"] is None for line in failing)
    n_broken, of = len(failing) - n_unclear, len(lines)
    if not failing:
        return "holds", "The policy holds.", f"All {of} lines hold."
    unclear = f"{n_unclear} of {of} lines cannot be judged."
    if not n_broken:
        return "unclear", "The policy cannot be judged,", f"so this audit has not passed: {unclear}"
    broken = f"{n_broken} of {of} lines {'is' if n_broken == 1 else 'are'} broken."
    return "broken", "The policy is broken.", f"{broken} {unclear if n_unclear else ''}".strip()


def _sample(summary: dict[str, Any]) -> str:
    settings = summary["settings"]
    sizes = f"{summary['n_facts']} facts to forget, of which the first model knew {summary['n_known']};"
    sizes += f" {summary['n_never_seen']} never seen, {summary['n_kept']}"
    return (
        f"{sizes} that should survive. Before: {settings['before']}. After: {settings['after']}."
        f" {_known_by(summary)}Intervals are 95% bootstrap intervals over subjects."
    )


def _known_by(summary: dict[str, Any]) -> str:
    reading = summary.get("known_by")
    return f"Known by {reading}: {READINGS[reading]}. " if reading else ""


def _bars(summary: dict[str, Any], verdicts: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the bars of shares: facts known before, and never-seen ones where there are any."""
    bars = [("Known before", "share", summary["n_known"])]
    if verdicts["gone"].get("never_seen") is not None:
        bars.append(("Never seen", "never_seen", summary["n_never_seen"]))
    return [
        {
            "title": title,
            "n_facts": n_facts,
            "parts": [
                {"verdict": name, "share": verdicts[name][column]}
                for name in VERDICTS
                if verdicts[name].get(column)
            ],
        }
        for title, column, n_facts in bars
        if n_facts
    ]


def _parts(numbers: dict[str, Any], total: int) -> list[dict[str, Any]]:
    return [{"verdict": name, "share": numbers[name] / total} for name in VERDICTS if numbers[name]]


def _listed(facts: pl.DataFrame) -> dict[str, Any]:
    """Return the facts to forget for the searchable table; no rows when they are too many."""
    own = facts.filter(pl.col("role") == "forget")
    rows = own.select(COLUMNS).rows() if own.height <= MAX_LISTED else []
    cut = [
        [one[:MAX_TEXT] + "…" if isinstance(one, str) and len(one) > MAX_TEXT else one for one in row]
        for row in rows
    ]
    return {"rows": cut, "verdicts": [name for name in VERDICTS if name in set(own["verdict"])]}
