"""Unequal: unlearning of facts from language models, by how often they stood in the training text."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PLACES = {
    "Attack": "unequal.attacks.attack",
    "Fact": "unequal.facts.schema",
    "Facts": "unequal.api.facts",
    "Method": "unequal.unlearning.method",
    "Metric": "unequal.evaluation.metrics.contract",
    "Model": "unequal.api.models",
    "PromptFormat": "unequal.facts.probes",
    "attack": "unequal.api.attack",
    "audit": "unequal.api.audit",
    "count": "unequal.api.count",
    "evaluate": "unequal.api.evaluate",
    "forget": "unequal.api.forget",
    "load": "unequal.api.models",
    "metric": "unequal.api.register",
    "read_facts": "unequal.api.facts",
    "register": "unequal.api.register",
    "unlearn": "unequal.api.unlearn",
}
"""The module of each public name, imported when the name is first used."""

__all__ = [
    "Attack", "Fact", "Facts", "Method", "Metric", "Model", "PromptFormat",
    "attack", "audit", "count", "evaluate", "forget", "load", "metric", "read_facts", "register", "unlearn",
]  # fmt: skip

if TYPE_CHECKING:
    from unequal.api.attack import attack as attack
    from unequal.api.audit import audit as audit
    from unequal.api.count import count as count
    from unequal.api.evaluate import evaluate as evaluate
    from unequal.api.facts import Facts, read_facts
    from unequal.api.forget import forget as forget
    from unequal.api.models import Model, load
    from unequal.api.register import metric as metric
    from unequal.api.register import register as register
    from unequal.api.unlearn import unlearn as unlearn
    from unequal.attacks.attack import Attack
    from unequal.evaluation.metrics.contract import Metric
    from unequal.facts.probes import PromptFormat
    from unequal.facts.schema import Fact
    from unequal.unlearning.method import Method


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'unequal' has no attribute '{name}'")
    found = getattr(import_module(_PLACES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
