"""Find out what a plugin is, and run the contract tests of its kind."""

from collections.abc import Iterator
from inspect import isroutine
from typing import Any

from unequal.attacks import ATTACKS
from unequal.attacks.attack import Attack
from unequal.counting import COUNTERS
from unequal.counting.protocol import CountSettings
from unequal.errors import ConfigError
from unequal.evaluation.metrics import METRICS
from unequal.evaluation.metrics.contract import Metric
from unequal.models import FAMILIES
from unequal.plugin_checks.contract import Outcome, run_checks
from unequal.registry import Registry, load_place
from unequal.unlearning.method import Method
from unequal.unlearning.methods import METHODS

REGISTRIES: tuple[Registry[Any], ...] = (METHODS, METRICS, ATTACKS, FAMILIES, COUNTERS)


def find_plugin(place: str) -> Any:
    """Return what stands at ``module:attribute``, or has that name; raises `ConfigError`."""
    if place in ATTACKS:
        return ATTACKS.get(place)(kind=place)
    for registry in REGISTRIES:
        if place in registry:
            return registry.get(place)
    if ":" not in place:
        raise ConfigError(f"there is no '{place}'; give module:attribute, such as my_module:MyMethod")
    return load_place("plugin", place, place)


def check_plugin(plugin: Any) -> tuple[str, Iterator[Outcome]]:
    """Return what a plugin is, and the outcomes of its checks; raises `ConfigError` for something else."""
    if isinstance(plugin, Metric):
        from unequal.plugin_checks.metrics import METRIC_CHECKS

        return "metric", run_checks(plugin, METRIC_CHECKS)
    if isinstance(plugin, type) and issubclass(plugin, Method):
        from unequal.plugin_checks.methods import METHOD_CHECKS

        return "method", run_checks(plugin, METHOD_CHECKS)
    if isinstance(plugin, Attack) or (isinstance(plugin, type) and issubclass(plugin, Attack)):
        from unequal.plugin_checks.attacks import ATTACK_CHECKS

        return "attack", run_checks(plugin, ATTACK_CHECKS)
    if isinstance(plugin, type) and issubclass(plugin, CountSettings):
        from unequal.plugin_checks.engines import ENGINE_CHECKS

        return "counting engine", run_checks(plugin, ENGINE_CHECKS)
    if isroutine(plugin):
        from unequal.plugin_checks.families import FAMILY_CHECKS

        return "model family", run_checks(plugin, FAMILY_CHECKS)
    raise ConfigError(
        f"{plugin!r} is no plugin: it should be a class of Method, Attack or CountSettings, a Metric, or a"
        " function of a model family"
    )
