"""Scripts of a page: chart data, facts, the chart library and code, plain or compressed."""

import base64
import gzip
import json
from collections.abc import Sequence
from functools import cache
from typing import Any

import vl_convert
from markupsafe import Markup

from unequal.report.figures.figure import ROWS, Figure
from unequal.report.page import asset, environment, script_json

Spec = dict[str, Any]


def page_scripts(
    specs: dict[str, Spec], facts: Any, script: str, charts: bool = True, small: bool = False
) -> Markup:
    """Return the script elements of a page; ``script`` names the file beside the templates that is its own.

    ``small`` compresses them into one element, which the browser unpacks: a third of the bytes, but text that
    nobody can read. Pages without ``charts`` do without the library.
    """
    elements = [
        {"type": "application/json", "id": "specs", "text": str(script_json(packed(specs)))},
        {"type": "application/json", "id": "facts-data", "text": str(script_json(facts))},
        *([{"text": vega_bundle()}] if charts else []),
        {"text": environment().get_template("charts.js").render() + asset(script)},
    ]
    return _compressed(elements) if small else Markup("\n").join(_element(**one) for one in elements)


def specs_of(figures: Sequence[Figure]) -> dict[str, Spec]:
    """Return the chart specifications of figures by the names that the page gives their places."""
    return {f"{one.figure}-{place}": panel.spec for one in figures for place, panel in enumerate(one.panels)}


def packed(specs: dict[str, Spec]) -> dict[str, Any]:
    """Return chart specifications as charts.js reads them: equal ones once, rows as columns.

    ``charts`` names for each its place in ``templates`` and its rows. A column is a list of numbers or
    ``{"of": words, "at": their places}``.
    """
    templates: dict[str, int] = {}
    charts: dict[str, Any] = {}
    for name, spec in specs.items():
        datasets = dict(spec.get("datasets", {}))
        rows = datasets.pop(ROWS.name, None)
        template = json.dumps({**spec, "datasets": datasets}, ensure_ascii=False, allow_nan=False)
        chart = {"template": templates.setdefault(template, len(templates))}
        charts[name] = chart if rows is None else {**chart, "rows": _columns(rows)}
    return {"templates": [json.loads(template) for template in templates], "charts": charts}


@cache
def vega_bundle() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script, made once per process."""
    bundle = str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))
    return bundle.replace("</script", "<\\/script")


def _element(text: str, **attributes: str) -> Markup:
    """Return a script element; the text is our own code, or JSON that cannot end its element."""
    names = Markup("").join(Markup(' {}="{}"').format(*one) for one in attributes.items())
    return Markup("<script{}>{}</script>").format(names, Markup(text))


def _compressed(elements: list[dict[str, str]]) -> Markup:
    """Return the elements as gzip in base64, and the script that puts them back; the same bytes each time."""
    text = json.dumps(elements, ensure_ascii=False, separators=(",", ":"))
    packet = base64.b64encode(gzip.compress(text.encode(), compresslevel=9, mtime=0)).decode()
    return _element(packet, type="application/octet-stream", id="packed") + _element(asset("unpack.js"))


def _columns(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {key: _column([row[key] for row in rows]) for key in (rows[0] if rows else {})}


def _column(values: list[Any]) -> Any:
    if not any(isinstance(value, str) for value in values):
        return values
    of = list(dict.fromkeys(values))
    places = {value: place for place, value in enumerate(of)}
    return {"of": of, "at": [places[value] for value in values]}
