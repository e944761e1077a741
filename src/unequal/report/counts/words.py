"""Counts in words: the headline, what was counted, and the command that counts again."""

import shlex
from pathlib import Path
from typing import Any

from unequal.report.counts.data import CountView, have, median, number, window_in_words
from unequal.report.page import plural


def count_finding(view: CountView, metadata: dict[str, Any]) -> list[str]:
    """Return a headline on how many facts have subject and object together, then sentences with numbers."""
    if not view.table.height:
        return ["The count table holds no facts."]
    if view.main is None:
        return [
            f"No number says how often the {plural(view.table.height, 'fact')} occur.",
            _where(view, metadata),
        ]
    return [_headline(view), _spread(view), f"{_where(view, metadata)}{_estimates(view)}"]


def _headline(view: CountView) -> str:
    n, found = view.ranked.height, view.found.height
    near = f"{window_in_words(view.sources)} of each other at least once"
    if view.main is not None and view.main.column == "docs_both":
        near = "in one document at least once"
    if n == 1:
        return f"The one fact {'has' if found else 'does not have'} subject and object {near}."
    if found == 0:
        return f"None of {n:,} facts has subject and object {near}."
    who = (
        f"All {n:,} facts have"
        if found == n
        else f"{found:,} of {n:,} facts {'has' if found == 1 else 'have'}"
    )
    return f"{who} subject and object {near}."


def _spread(view: CountView) -> str:
    """Return median, largest and zeros of the main number as a sentence; empty when nothing was found."""
    if view.main is None or not view.found.height:
        return ""
    noun = view.main.noun
    top = view.found.row(0, named=True)
    name = f"{top['subject']} – {top['object']}" if top["subject"] else top["fact_id"]
    if view.ranked.height == 1:
        return f"{name}: {plural(top[view.main.column], noun)}."
    zeros = view.ranked.height - view.found.height
    largest = f"the most frequent ({name}) {number(top[view.main.column])}"
    if zeros > view.found.height:
        middle = median(view.found, view.main)
        return f"{have(zeros)} no such {noun}; of the others the median has {number(middle)}, {largest}."
    middle = median(view.ranked, view.main)
    none = f"; {have(zeros)} none" if zeros else ""
    return f"The median fact has {number(middle)} such {noun}{'' if middle == 1 else 's'}, {largest}{none}."


def _where(view: CountView, metadata: dict[str, Any]) -> str:
    corpus, engine = corpus_name(view, metadata), view.sources[0]["engine"] or "an unnamed engine"
    what = f"What is counted: {view.main.meaning}, " if view.main else "Counted "
    return f"{what}in the corpus {corpus}, by the engine {engine}."


def _estimates(view: CountView) -> str:
    n = view.estimated.height
    if not n:
        return ""
    who = "All numbers" if n == view.table.height else f"The numbers of {plural(n, 'fact')}"
    return f" {who} are estimates."


def corpus_name(view: CountView, metadata: dict[str, Any]) -> str:
    """Return the corpus as the settings name it, or its id."""
    settings = settings_of(metadata)
    identity = view.sources[0]["corpus_id"] if view.sources else None
    return str(settings.get("corpus") or settings.get("index") or identity or "an unnamed corpus")


def page_name(view: CountView, metadata: dict[str, Any]) -> str:
    """Return the page's name, such as ``counts of country-capital in factbook``."""
    facts = settings_of(metadata).get("facts")
    whose = f" of {Path(str(facts)).name}" if facts else ""
    return f"counts{whose} in {corpus_name(view, metadata)}"


def source_sentence(view: CountView) -> str:
    """Return engine, corpus id, window and time in one line."""
    if not view.sources:
        return ""
    source = view.sources[0]
    parts = [f"Engine {source['engine']}", f"corpus id {source['corpus_id']}"]
    if source["window"] is not None:
        parts.append(f"window {source['window']:,} {source['window_unit'] or ''}".strip())
    if view.counted_at:
        parts.append(f"counted {view.counted_at.replace('T', ' ').replace('+00:00', ' UTC')}")
    return " · ".join(parts)


def settings_of(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the settings in the metadata, empty when it holds none."""
    settings = metadata.get("settings")
    return settings if isinstance(settings, dict) else {}


def command(settings: dict[str, Any]) -> str:
    """Return the command line that counts with these settings, empty without settings."""
    if not settings:
        return ""
    lines = ["unequal count"]
    for key, value in settings.items():
        flag = key.replace("_", "-")
        if isinstance(value, bool):
            lines.append(f"--{flag}" if value else f"--no-{flag}")
        elif isinstance(value, list | tuple):
            lines += [f"--{flag} {shlex.quote(str(one))}" for one in value]
        elif value is not None and not isinstance(value, dict):
            lines.append(f"--{flag} {shlex.quote(str(value))}")
    return " \\\n  ".join(lines)
