"""Parameters of the quick gate and of the full run: `make test` takes some, `make test-all` all of them."""

from collections.abc import Iterable
from typing import Any

import pytest


def only_in_full(*cases: Any) -> list[Any]:
    """Return the cases as parameters that only the full run takes."""
    return [_param(case, pytest.mark.full) for case in cases]


def sample(cases: Iterable[Any], every: int) -> list[Any]:
    """Return all cases as parameters, of which the gate takes the first and each one so many after it."""
    return [_param(case, *[pytest.mark.full] * bool(number % every)) for number, case in enumerate(cases)]


def of_families(families: Iterable[str], *in_gate: str) -> list[Any]:
    """Return model families as parameters, of which the gate takes those that are named.

    It is GPT-2 alone, with Llama where rotary positions or heads that share keys could matter.
    """
    return [_param(family, *[pytest.mark.full] * (family not in in_gate)) for family in families]


def _param(case: Any, *marks: pytest.MarkDecorator) -> Any:
    return pytest.param(*case, marks=marks) if type(case) is tuple else pytest.param(case, marks=marks)
