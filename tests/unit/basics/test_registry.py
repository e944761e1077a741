"""Registries name what is known, and everything they name is there."""

import pytest

from unequal.counting import COUNTERS
from unequal.errors import ConfigError
from unequal.evaluation.metrics import METRICS
from unequal.models import FAMILIES
from unequal.registry import Registry

REGISTRIES = {"counters": COUNTERS, "metrics": METRICS, "families": FAMILIES}


def test_an_unknown_name_is_refused_with_the_known_ones_and_a_guess():
    with pytest.raises(ConfigError) as caught:
        METRICS.get("exact_mach")
    message = str(caught.value)
    assert message.startswith("unknown metric 'exact_mach'; did you mean 'exact_match'? (known: ")
    assert all(name in message for name in METRICS)


def test_a_name_like_no_other_gets_no_guess():
    with pytest.raises(ConfigError) as caught:
        FAMILIES.get("zzzz")
    assert "did you mean" not in str(caught.value)


def test_targets_are_imported_only_when_asked_for():
    registry = Registry("thing", {"good": "unequal.seeds:derive_seed", "bad": "unequal.nowhere:nothing"})
    assert "bad" in registry
    assert list(registry) == ["good", "bad"]
    assert registry.get("good").__name__ == "derive_seed"
    with pytest.raises(ModuleNotFoundError):
        registry.get("bad")


@pytest.mark.parametrize(
    ("registry", "name"),
    [(registry, name) for registry, known in REGISTRIES.items() for name in known],
)
def test_every_target_imports(registry, name):
    assert callable(getattr(REGISTRIES[registry].get(name), "value", REGISTRIES[registry].get(name)))
    assert dict(REGISTRIES[registry].items())[name] is REGISTRIES[registry].get(name)
