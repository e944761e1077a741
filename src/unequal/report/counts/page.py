"""One self-contained HTML file from a count table: how often facts occur, what was excluded."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
from markupsafe import Markup

from unequal.facts.schema import Fact
from unequal.files import write_text
from unequal.manifest import manifest
from unequal.report.colours import palette
from unequal.report.counts.data import (
    ENDS,
    CountView,
    count_view,
    have,
    never_together,
    number,
    rarest,
    summary,
)
from unequal.report.counts.figures import density_palette, names_figure, spread_figure
from unequal.report.counts.words import (
    command,
    corpus_name,
    count_finding,
    page_name,
    settings_of,
    source_sentence,
)
from unequal.report.page import asset, environment, plural
from unequal.report.scripts import page_scripts, specs_of

MAX_LISTED = 20_000
"""Facts up to which the page holds a table of all of them."""
MAX_ITEMS, MAX_TEXT = 40, 2_000
LEFT_OUT = ("skipped", "left_out", "dropped", "repeated", "duplicate", "refused", "excluded")
ESTIMATED = ("estimat", "approx")
SOURCE_TITLES = {
    "engine": "Engine",
    "corpus_id": "Corpus id",
    "definition": "Definition",
    "window": "Window",
    "window_unit": "Unit of the window",
}


def build_count_report(
    facts: Sequence[Fact], counts: pl.DataFrame, metadata: dict[str, Any], out: Path
) -> Path:
    """Write the page of a count table and return its path.

    ``counts`` is as `count_table` makes it, ``metadata`` what the engine says besides, JSON with
    ``settings``. Raises `DataError` when the file cannot be written.
    """
    write_text(out, render_counts(count_view(facts, counts), metadata))
    return out


def render_counts(view: CountView, metadata: dict[str, Any]) -> str:
    """Return the page as one HTML text that needs no network."""
    figures = [spread_figure(view), names_figure(view)]
    about = _sorted_metadata(metadata)
    template = environment().get_template("counts.html.j2")
    return template.render(
        name=page_name(view, metadata),
        finding=[sentence for sentence in count_finding(view, metadata) if sentence],
        sample=source_sentence(view),
        corpus=corpus_name(view, metadata),
        view=view,
        figures=figures,
        summary=summary(view),
        ends=_ends(view),
        estimated=_rows(view, view.estimated.head(ENDS)),
        n_estimated=view.estimated.height,
        listed=view.table.height <= MAX_LISTED,
        max_listed=MAX_LISTED,
        sources=[_source(one) for one in view.sources],
        settings=_shorten(settings_of(metadata)),
        command=metadata.get("command") or command(settings_of(metadata)),
        versions=_versions(),
        plural=plural,
        light={**palette(0, dark=False), **density_palette(dark=False)},
        dark={**palette(0, dark=True), **density_palette(dark=True)},
        style=Markup(asset("report.css")),  # our own file
        code=page_scripts(specs_of(figures), _listed(view), "counts.js"),
        **about,
    )


def _ends(view: CountView) -> list[dict[str, Any]]:
    """Return the tables of the facts at both ends: title, sentence and rows of each that has any."""
    if view.main is None:
        return []
    found, rare, never = view.found, rarest(view), never_together(view)
    ends = []
    if found.height:
        title = "The most frequent" if rare.height else "All facts that occur, the most frequent first"
        ends.append({"id": "top", "title": title, "note": "", "rows": _rows(view, found.head(ENDS))})
    if rare.height:
        smallest = found[view.main.column][-1]
        same = found.filter(pl.col(view.main.column) == smallest).height
        note = f"The smallest number above zero is {number(smallest)}; {have(same)} it."
        ends.append({"id": "rare", "title": "The rarest that occur", "note": note, "rows": _rows(view, rare)})
    if never.height:
        note = (
            f"{have(never.height)} zero, of {view.ranked.height:,}. "
            "Those whose two names occur often by themselves come first: a missing alias shows here."
        )
        rows = _rows(view, never.head(ENDS))
        ends.append({"id": "never", "title": "Never together", "note": note, "rows": rows})
    return ends


def _rows(view: CountView, rows: pl.DataFrame) -> list[dict[str, Any]]:
    """Return rows for a table of facts, numbers as text."""
    return [
        {
            "subject": row["subject"] or row["fact_id"],
            "relation": row["relation"] or "—",
            "object": row["object"] or "—",
            "numbers": [number(row[one.column]) for one in view.measures],
            "approx": row["approx"],
        }
        for row in rows.iter_rows(named=True)
    ]


def _listed(view: CountView) -> dict[str, Any]:
    """Return all facts for the searchable table, relations stored once; no rows when they are too many."""
    rows = view.table if view.main is None else view.table.sort(
        view.main.column, descending=True, nulls_last=True, maintain_order=True
    )  # fmt: skip
    relations: dict[str, int] = {}
    listed = []
    for row in rows.iter_rows(named=True) if rows.height <= MAX_LISTED else ():
        relation = relations.setdefault(row["relation"] or "—", len(relations))
        words = [row["subject"] or row["fact_id"], relation, row["object"] or "—"]
        listed.append([*words, *(row[one.column] for one in view.measures), int(row["approx"])])
    headings = ["Subject", "Relation", "Object", *(one.heading for one in view.measures)]
    main = -1 if view.main is None else 3 + [one.column for one in view.measures].index(view.main.column)
    estimated = bool(view.estimated.height)
    return {
        "headings": headings,
        "relations": list(relations),
        "rows": listed,
        "main": main,
        "how": estimated,
    }


def _source(source: dict[str, Any]) -> dict[str, Any]:
    return {SOURCE_TITLES[key]: value for key, value in source.items()}


def _versions() -> dict[str, Any]:
    made = manifest()
    return {
        "unequal": made["unequal"],
        "Python": made["python"],
        "polars": made["libraries"]["polars"],
        "git revision": made["git_revision"],
    }


def _sorted_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata as the page shows it: what was skipped, excluded, estimated, and the rest."""
    skipped = _skipped(metadata.get("skipped_shards"))
    known = {"settings", "command"} if skipped is None else {"settings", "command", "skipped_shards"}
    rest = {key: _shorten(value) for key, value in metadata.items() if key not in known}
    left_out = {key: rest.pop(key) for key in list(rest) if any(word in key for word in LEFT_OUT)}
    estimates = {key: rest.pop(key) for key in list(rest) if any(word in key for word in ESTIMATED)}
    return {
        "skipped": (skipped or [])[:MAX_ITEMS],
        "n_skipped": None if skipped is None else len(skipped),
        "repeated": left_out.pop("repeated_documents", None),
        "left_out": left_out,
        "estimates": estimates,
        "rest": rest,
    }


def _skipped(shards: Any) -> list[dict[str, Any]] | None:
    """Return the skipped shards with their reasons, None when the value is not a list of shards."""
    if not isinstance(shards, list):
        return None
    rows = [{"shard": one, "reason": None} if isinstance(one, str) else one for one in shards]
    return rows if all(isinstance(one, dict) and "shard" in one for one in rows) else None


def _shorten(value: Any) -> Any:
    """Return a value of the metadata without the ends of long lists and texts; the count table keeps them."""
    if isinstance(value, dict):
        kept = {str(key): _shorten(one) for key, one in list(value.items())[:MAX_ITEMS]}
        return kept | ({"…": f"and {len(value) - MAX_ITEMS:,} more"} if len(value) > MAX_ITEMS else {})
    if isinstance(value, list | tuple):
        more = [f"… and {len(value) - MAX_ITEMS:,} more"] if len(value) > MAX_ITEMS else []
        return [*(_shorten(one) for one in value[:MAX_ITEMS]), *more]
    if isinstance(value, str) and len(value) > MAX_TEXT:
        return value[:MAX_TEXT] + "…"
    return value
