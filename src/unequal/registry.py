"""One registry for methods, metrics, counters and model families: names to lazily imported targets."""

from collections.abc import Iterator
from importlib import import_module
from typing import Generic, TypeVar, cast

from unequal.errors import ConfigError, did_you_mean

T = TypeVar("T")


class Registry(Generic[T]):
    """Names to targets written as ``"module:attribute"``, imported when first asked for."""

    def __init__(self, noun: str, targets: dict[str, str]) -> None:
        self.noun = noun
        self._targets = targets

    def __iter__(self) -> Iterator[str]:
        return iter(self._targets)

    def __contains__(self, name: object) -> bool:
        return name in self._targets

    def get(self, name: str) -> T:
        """Return the target of ``name``; raises `ConfigError` that lists the known names."""
        if name not in self._targets:
            known = ", ".join(self._targets)
            hint = did_you_mean(name, self._targets)
            raise ConfigError(f"unknown {self.noun} '{name}'{hint} (known: {known})")
        module, attribute = self._targets[name].split(":")
        return cast(T, getattr(import_module(module), attribute))

    def about(self, name: str) -> str:
        """Return what the module of a known name says in its first line."""
        module = import_module(self._targets[name].split(":")[0])
        return (module.__doc__ or "").split("\n", 1)[0]

    def items(self) -> Iterator[tuple[str, T]]:
        """Yield every name with its target, in the order of registration."""
        for name in self:
            yield name, self.get(name)
