"""Figures for a paper: panels, titles and legend in one drawing on white, as SVG and PDF."""

import json
import re
from typing import Any

import vl_convert

from unequal.report.colours import palette
from unequal.report.figures.figure import ROWS, Figure
from unequal.report.page import asset

WIDTH, GAP = 680, 44
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
VARIABLE = re.compile(r"var\((--[\w-]+)\)")
CLIP = re.compile(r"(?<=[\"#])clip\d+(?=[\")])")
RESOURCES = re.compile(rb"(?:^ +/[a-z]+\d+ \d+ 0 R\n)+", re.MULTILINE)
APART = {"scale": {"color": "independent", "shape": "independent"}}


def paper_svg(figure: Figure, n_levels: int) -> str:
    """Return a figure as SVG with the choices that the page starts with, the same text each time."""
    svg = str(vl_convert.vegalite_to_svg(paper_spec(figure, n_levels), allowed_base_urls=[]))
    # Vega numbers clip paths on from the last drawing of the process.
    numbers = {name: f"clip{place}" for place, name in enumerate(dict.fromkeys(CLIP.findall(svg)))}
    return CLIP.sub(lambda name: numbers[name[0]], svg)


def paper_pdf(svg: str) -> bytes:
    """Return the SVG as a PDF of the same size, the same bytes each time.

    The library lists resources at random, and fonts where there are several; so they are sorted, and all
    text has one weight.
    """
    drawn = bytes(vl_convert.svg_to_pdf(svg))
    return RESOURCES.sub(lambda found: b"".join(sorted(found[0].splitlines(keepends=True))), drawn)


def paper_spec(figure: Figure, n_levels: int) -> dict[str, Any]:
    """Return one Vega-Lite specification of all panels of a figure, in the light colours of the page."""
    datasets: dict[str, Any] = {}
    params: dict[str, Any] = {}
    width = WIDTH // figure.columns - GAP if len(figure.panels) > 1 else WIDTH - GAP
    panels = []
    for number, panel in enumerate(figure.panels):
        own = _with_own_rows(panel.spec, f"{ROWS.name}-{number}")
        datasets |= own.get("datasets", {})
        params |= {one["name"]: one for one in own.get("params", [])}
        panels.append(_panel(panel.title, own, width))
    rows: list[dict[str, Any]] = [{"concat": panels, "columns": figure.columns, "resolve": APART}]
    whole = {
        "$schema": figure.panels[0].spec["$schema"],
        "vconcat": [_legend(figure), *rows] if figure.legend else rows,
        "datasets": datasets,
        "params": list(params.values()),
        "resolve": APART,
        "spacing": 0,
        "config": {**json.loads(asset("charts.json")), "font": FONT, "background": "#ffffff"},
    }
    colours = {**_theme(), **palette(n_levels, dark=False)}
    found: dict[str, Any] = json.loads(VARIABLE.sub(lambda name: colours[name[1]], json.dumps(whole)))
    return found


def _with_own_rows(spec: Any, name: str) -> Any:
    """Return a panel's specification with its rows renamed, since the panels of a drawing share all names."""
    if isinstance(spec, list):
        return [_with_own_rows(one, name) for one in spec]
    if not isinstance(spec, dict):
        return spec
    if spec == {"name": ROWS.name}:
        return {"name": name}
    if "datasets" in spec:
        datasets = {name if one == ROWS.name else one: rows for one, rows in spec["datasets"].items()}
        rest = {key: one for key, one in spec.items() if key != "datasets"}
        return {**_with_own_rows(rest, name), "datasets": datasets}
    return {key: _with_own_rows(one, name) for key, one in spec.items()}


def _panel(title: str, spec: dict[str, Any], width: int) -> dict[str, Any]:
    inner = {
        key: one for key, one in spec.items() if key not in ("$schema", "datasets", "params", "autosize")
    }
    text = {"text": title, "anchor": "start", "fontSize": 13, "fontWeight": "normal", "color": "var(--ink)"}
    return {**inner, "width": width, **({"title": text} if title else {})}


def _legend(figure: Figure) -> dict[str, Any]:
    """Return a chart without marks, with the legend of the page."""
    labels, colours = [entry[0] for entry in figure.legend], [entry[1] for entry in figure.legend]
    marks = [entry[2] if len(entry) > 2 else "square" for entry in figure.legend]
    shared = {"field": "label", "type": "nominal"}
    legend = {
        "title": figure.legend_title or None,
        "orient": "top",
        "direction": "horizontal",
        "offset": 0,
        "columns": min(len(labels), 8),
        "labelColor": "var(--soft)",
        "titleColor": "var(--quiet)",
        "titleFontWeight": "normal",
        "symbolOpacity": 1,
        "symbolStrokeWidth": 0,
    }
    return {
        "data": {"values": [{"label": label} for label in labels]},
        "mark": {"type": "point", "filled": True, "opacity": 0},
        "encoding": {
            "color": {**shared, "scale": {"domain": labels, "range": colours}, "legend": legend},
            "shape": {**shared, "scale": {"domain": labels, "range": marks}, "legend": legend},
        },
        "width": WIDTH - GAP,
        "height": 1,
    }


def _theme() -> dict[str, str]:
    """Return the page's own light colours."""
    first = asset("report.css").split("}", 1)[0]
    return dict(re.findall(r"(--[\w-]+): (#[0-9a-f]+)", first))
