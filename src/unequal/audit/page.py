"""One self-contained HTML file from an audit: the verdicts, what they rest on, and every fact."""

from typing import Any

import polars as pl
from markupsafe import Markup

from unequal.audit.verdicts import VERDICTS
from unequal.report.page import asset, environment
from unequal.report.scripts import page_scripts

MAX_LISTED = 20_000
"""Facts up to which the page lists all of them."""
MAX_TEXT = 120
MEANINGS = {
    "still there": "the right answer is still generated, in at least one wording",
    "suppressed": "no longer generated, but other evidence finds it more often than luck would",
    "gone": "no evidence finds it",
    "unjudged": "some evidence could not be had",
    "not known before": "there was nothing to unlearn",
    "left": "still there or suppressed",
}
ROLES = {"forget": "to forget", "never_seen": "never seen", "retain": "retained", "neighbour": "neighbours"}
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
            finding=_finding(summary, verdicts),
            sample=_sample(summary),
            summary=summary,
            bars=_bars(summary, verdicts),
            counted=[{**row, "parts": _parts(row, row["n_facts"])} for row in summary["by_count"]],
            verdicts=[row for name in MEANINGS for row in summary["verdicts"] if row["verdict"] == name],
            meanings=MEANINGS,
            roles=ROLES,
            broken=[line for line in summary["policy"] if not line["holds"]],
            listed=facts.height <= MAX_LISTED,
            settings={key: value for key, value in settings.items() if value is not None},
            light={},
            dark={},
            style=Markup(asset("report.css") + asset("audit.css")),  # our own files
            code=page_scripts({}, _listed(facts), "audit.js", charts=False),
        )
    )


def _finding(summary: dict[str, Any], verdicts: dict[str, Any]) -> list[str]:
    """Return the headline and what a reader must know at once."""
    known, still, hidden = summary["n_known"], verdicts["still there"], verdicts["suppressed"]
    if not known:
        return ["The first model knew none of the facts, so there was nothing to unlearn."]
    n_still = still["n_facts"]
    n_left = n_still + hidden["n_facts"]
    head = (
        f"{n_left} of {known} facts are still in the model."
        if n_left
        else f"Nothing finds any of the {known} facts that the model knew."
    )
    luck = verdicts["left"]["never_seen"]
    beside = f" Of facts that it never saw, {luck:.0%} look the same." if luck is not None else ""
    parts = f"Still generated: {n_still}. No longer, but found by other evidence: {hidden['n_facts']}."
    losses = [row["loss"]["value"] for row in summary["utility"] if row["loss"]["value"] is not None]
    lost = f"Of what should survive, {max(max(losses), 0):.0%} was lost at worst." if losses else ""
    return [head, parts + beside if n_left else (beside.strip() or parts), *([lost] if lost else [])]


def _sample(summary: dict[str, Any]) -> str:
    settings = summary["settings"]
    sizes = f"{summary['n_facts']} facts to forget, {summary['n_never_seen']} never seen, {summary['n_kept']}"
    return (
        f"{sizes} that should survive. Before: {settings['before']}. After: {settings['after']}."
        " Intervals are 95% bootstrap intervals over subjects."
    )


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
