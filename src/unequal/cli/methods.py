"""``unequal methods``."""

from unequal.console import say, show_table


def methods(name: str | None = None) -> None:
    """List the unlearning methods, or show one with its formula, settings and source.

    Parameters
    ----------
    name
        A method to show.
    """
    from unequal.unlearning.methods import METHODS  # noqa: PLC0415

    if name is None:
        rows = [(key, m.title, m.formula, ", ".join(sorted(m.needs)), m.source) for key, m in METHODS.items()]
        show_table("Methods", ["name", "title", "loss of a fact", "needs", "source"], rows)
        return
    method = METHODS.get(name)
    say(f"{method.title}\n\n  {method.formula}\n\n{method.__doc__}\nSource: {method.source}\n")
    settings = [
        (key, field.default, field.description or "")
        for key, field in method.model_fields.items()
        if key != "kind"
    ]
    show_table("Settings", ["setting", "default", "meaning"], settings)
