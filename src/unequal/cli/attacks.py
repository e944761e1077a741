"""``unequal attacks``."""

from inspect import cleandoc

from unequal.cli.options import one_name, show_settings
from unequal.console import show_table, show_text


def attacks(*words: str) -> None:
    """List the attacks, or show one (unequal attacks show relearn): what it shows, settings, source.

    Parameters
    ----------
    words
        Nothing; or show and the name of an attack; the name alone does the same.
    """
    name = one_name(words, "attack", "attacks show relearn")
    if name:
        _show(name)
    else:
        _list()


def _list() -> None:
    from unequal.attacks import ATTACKS

    rows = [
        (name, attack.title, attack.shows, ", ".join(attack.metrics), attack.source)
        for name, attack in ATTACKS.items()
    ]
    show_table("Attacks", ["name", "title", "shows", "measures", "source"], rows)


def _show(name: str) -> None:
    from unequal.attacks import ATTACKS

    attack = ATTACKS.get(name)
    show_text(f"{attack.title}: {attack.shows}\n\n{cleandoc(attack.__doc__ or '')}\n")
    show_text(f"Measures: {', '.join(attack.metrics)}\nSource: {attack.source}\n")
    show_settings(attack)
