"""``unequal attacks``."""

from inspect import cleandoc

from unequal.console import say, show_table


def attacks(*words: str) -> None:
    """List the attacks, or show one (unequal attacks show relearn): what it shows, settings, source.

    Parameters
    ----------
    words
        Nothing; or show and the name of an attack; the name alone does the same.
    """
    from unequal.errors import ConfigError  # noqa: PLC0415

    names = words[1:] if words[:1] == ("show",) else words
    if len(names) > 1 or (words and not names):
        raise ConfigError(f"name one attack, not {len(names)}, for example: unequal attacks show relearn")
    if names:
        _show(names[0])
    else:
        _list()


def _list() -> None:
    from unequal.attacks import ATTACKS  # noqa: PLC0415

    rows = [
        (name, attack.title, attack.shows, ", ".join(attack.metrics), attack.source)
        for name, attack in ATTACKS.items()
    ]
    show_table("Attacks", ["name", "title", "shows", "measures", "source"], rows)


def _show(name: str) -> None:
    from unequal.attacks import ATTACKS  # noqa: PLC0415

    attack = ATTACKS.get(name)
    say(f"{attack.title}: {attack.shows}\n\n{cleandoc(attack.__doc__ or '')}\n")
    say(f"Measures: {', '.join(attack.metrics)}\nSource: {attack.source}\n")
    settings = [
        (key, "" if field.is_required() or field.default is None else field.default, field.description or "")
        for key, field in attack.model_fields.items()
        if key != "kind"
    ]
    show_table("Settings", ["setting", "default", "meaning"], settings)
