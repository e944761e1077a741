"""``unequal list``, and the commands that list one kind: ``methods``, ``metrics`` and ``attacks``."""

import json
from typing import Annotated

from cyclopts import Parameter

from unequal.cli.pages import KINDS, Page
from unequal.console import console, say, show_list, show_text
from unequal.errors import ConfigError, did_you_mean

AsJson = Annotated[bool, Parameter(name="--json", negative=())]


def list_(kind: str | None = None, name: str | None = None, /, *, as_json: AsJson = False) -> None:
    """List what there is of a kind, such as methods, or show one: formula, settings, an example, source.

    Parameters
    ----------
    kind
        such as methods, metrics, facts, studies or settings; without it all kinds are listed
    name
        name of one, to show all about it
    as_json
        print JSON
    """
    if kind is None:
        show_list([(kind, found.purpose) for kind, found in KINDS.items()])
        return
    if kind not in KINDS:
        raise ConfigError(f"unknown kind '{kind}'{did_you_mean(kind, KINDS)} (known: {', '.join(KINDS)})")
    chosen = KINDS[kind]
    pages = [chosen.known(one) for one in ([name] if name else chosen.names())]
    if as_json:
        values = [page.as_json() for page in pages]
        show_text(json.dumps(values[0] if name else values, ensure_ascii=False, indent=2))
    elif name:
        _show(pages[0])
    else:
        show_list([(page.name, page.purpose) for page in pages])
        if console.is_terminal:
            say(f"more about one: unequal list {kind} NAME")


def methods(*words: str, as_json: AsJson = False) -> None:
    """List the unlearning methods, or show one; the same as unequal list methods [NAME].

    Parameters
    ----------
    words
        nothing, or the name of a method; show before it changes nothing
    as_json
        print JSON
    """
    list_("methods", _one_name(words, "method", "methods show npo"), as_json=as_json)


def metrics(*words: str, as_json: AsJson = False) -> None:
    """List the metrics and aggregates, or show one; the same as unequal list metrics [NAME].

    Parameters
    ----------
    words
        nothing, or the name of a metric or aggregate; show before it changes nothing
    as_json
        print JSON
    """
    list_("metrics", _one_name(words, "metric", "metrics show extraction_strength"), as_json=as_json)


def attacks(*words: str, as_json: AsJson = False) -> None:
    """List the attacks, or show one; the same as unequal list attacks [NAME].

    Parameters
    ----------
    words
        nothing, or the name of an attack; show before it changes nothing
    as_json
        print JSON
    """
    list_("attacks", _one_name(words, "attack", "attacks show relearn"), as_json=as_json)


def _one_name(words: tuple[str, ...], noun: str, example: str) -> str | None:
    """Return the name in the words: nothing, ``show NAME`` or ``NAME``; raises `ConfigError` for others."""
    names = words[1:] if words[:1] == ("show",) else words
    if len(names) > 1 or (words and not names):
        raise ConfigError(f"name one {noun}, not {len(names)}, for example: unequal {example}")
    return names[0] if names else None


def _show(page: Page) -> None:
    """Print all about one name."""
    show_text(f"{page.name}: {page.purpose}")
    if page.text and page.text != page.purpose:
        show_text(f"\n{page.text}")
    show_text("")
    for label, value in (page.facts | {"Example": page.example}).items():
        show_text(f"{label}: {value}")
    if page.settings:
        show_text("\nSettings:")
        show_list([(setting.key, setting.full_text) for setting in page.settings])
