"""``unequal methods``."""

from inspect import cleandoc

from unequal.cli.options import one_name, show_settings
from unequal.console import show_table, show_text


def methods(*words: str) -> None:
    """List the unlearning methods, or show one (unequal methods show npo): formula, settings, cost, source.

    Parameters
    ----------
    words
        Nothing; or show and the name of a method; the name alone does the same.
    """
    name = one_name(words, "method", "methods show npo")
    if name:
        _show(name)
    else:
        _list()


def _list() -> None:
    from unequal.unlearning.methods import METHODS

    rows = [
        (name, method.title, method.formula, ", ".join(sorted(method.needs)), method.cost, method.source)
        for name, method in METHODS.items()
    ]
    show_table("Methods", ["name", "title", "loss of a fact", "needs", "cost", "source"], rows)


def _show(name: str) -> None:
    from unequal.unlearning.methods import METHODS

    method = METHODS.get(name)
    show_text(f"{method.title}\n\n  {method.formula}\n\n{cleandoc(method.__doc__ or '')}\n")
    show_text(f"Needs: {', '.join(sorted(method.needs)) or 'the answers alone'}\nCost: {method.cost}")
    show_text(f"Source: {method.source}\n")
    show_settings(method)
