"""Page parts: templates, assets and number formats of HTML files that need no network."""

import json
import math
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


def script_json(value: Any) -> Markup:
    """Return the value as JSON that cannot end or open a script element; non-finite numbers are refused."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # escaped above


@cache
def asset(name: str) -> str:
    """Return the text of a file beside the templates."""
    return (files("unequal.report") / "templates" / name).read_text(encoding="utf-8")


@cache
def environment() -> Environment:
    """Return the templates, which escape what they are given."""
    made = Environment(
        loader=PackageLoader("unequal.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["percent"] = percent
    made.filters["number"] = number
    return made


def number(value: float | None, digits: int = 2) -> str:
    """Return a number with a true minus sign; a dash when there is none."""
    if value is None or not math.isfinite(value):
        return "—"
    return f"{value:.{digits}f}".replace("-", "−")


def plural(n: int, noun: str) -> str:
    """Return a number of things, such as ``1 fact`` and ``1,200 facts``."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def percent(value: float | None) -> str:
    """Return a share in whole per cent; a dash when there is none."""
    return "—" if value is None else f"{value:.0%}".replace("-", "−")
