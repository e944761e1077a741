"""Registries of methods, metrics, counters and model families: names to lazy imports, and plugins."""

import hashlib
import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from unequal.errors import ConfigError, did_you_mean, first_line

T = TypeVar("T")

HERE = "__main__:"
"""How the place of what a notebook or script defines begins."""
_OUTSIDE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_sources: dict[str, str] = {}


@dataclass(frozen=True)
class Plugin:
    """A plugin as another process finds it: noun, name, ``module:attribute``, and its module's folder."""

    noun: str
    name: str
    place: str
    folder: str


_plugins: dict[str, Plugin] = {}
_registries: "dict[str, Registry[Any]]" = {}


class Registry(Generic[T]):
    """Names to targets written as ``"module:attribute"``, imported when first requested.

    With a ``group``, which names the entry points of other packages, such as ``unequal.methods``, plugins
    are found too: those of entry points, those that `register` adds, and any ``module:attribute``.
    """

    def __init__(self, noun: str, targets: dict[str, str], group: str | None = None) -> None:
        self.noun = noun
        self.group = group
        self._targets = targets
        self._registered: dict[str, T] = {}
        _registries[noun] = self

    def __iter__(self) -> Iterator[str]:
        return iter([*self._targets, *self._plugins()])

    def __contains__(self, name: object) -> bool:
        return name in self._targets or name in self._plugins()

    def get(self, name: str) -> T:
        """Return the target of ``name``; raises `ConfigError` that lists the known names."""
        if name in self._targets:
            module, attribute = self._targets[name].split(":")
            return cast(T, getattr(import_module(module), attribute))
        if name in self._registered:
            return self._registered[name]
        plugins = self._plugins()
        if name in plugins:
            return self._loaded(name, plugins[name])
        if self.group and _OUTSIDE.fullmatch(name):
            return self._loaded(name, name)
        known = ", ".join(self)
        hint = did_you_mean(name, self)
        others = " or module:attribute of a plugin" if self.group else ""
        raise ConfigError(f"unknown {self.noun} '{name}'{hint} (known: {known}{others})")

    def register(self, name: str, target: T) -> None:
        """Add a plugin by a name; raises `ConfigError` for a name that comes with unequal."""
        if name in self._targets:
            raise ConfigError(f"there is a {self.noun} '{name}' already; choose another name")
        self._registered[name] = target
        _remember(self.noun, name, target)

    def about(self, name: str) -> str:
        """Return what the module of a known name says in its first line."""
        if name not in self._targets:
            return first_line(inspect.getdoc(self.get(name)) or name)
        module = import_module(self._targets[name].split(":")[0])
        return (module.__doc__ or "").split("\n", 1)[0]

    def items(self) -> Iterator[tuple[str, T]]:
        """Yield every name with its target, in the order of registration."""
        for name in self:
            yield name, self.get(name)

    def _plugins(self) -> dict[str, str]:
        """Return the plugins by name, with the place of those of entry points."""
        if self.group is None:
            return {}
        own = {name: place for name, place in _entry_points(self.group).items() if name not in self._targets}
        return own | dict.fromkeys(self._registered, "")

    def _loaded(self, name: str, place: str) -> T:
        return cast(T, load_place(self.noun, name, place))


def load_place(noun: str, name: str, place: str) -> Any:
    """Return what stands at ``module:attribute``, whose module may lie in the current folder.

    Raises `ConfigError` that says why it cannot be loaded.
    """
    module, attribute = place.split(":")
    here = str(Path.cwd())
    if here not in sys.path:  # a script's is the folder of the script
        sys.path.append(here)
    try:
        target = getattr(import_module(module), attribute)
    except Exception as error:  # whatever the plugin's own code raises
        raise ConfigError(
            f"cannot load the {noun} '{name}' ({type(error).__name__}: {first_line(error)}); give"
            " module:attribute of a module that can be imported here"
        ) from error
    _remember(noun, name, target)
    return target


@cache
def _entry_points(group: str) -> dict[str, str]:
    return {one.name: one.value for one in entry_points(group=group)}


def _remember(noun: str, name: str, target: Any) -> None:
    """Remember where a plugin stands, and the SHA-256 of its module's source: part of a study step's hash."""
    defined = target if inspect.isclass(target) else getattr(target, "value", target)
    module = name.split(":")[0] if ":" in name else getattr(defined, "__module__", "")
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    place = name if ":" in name else f"{module}:{getattr(defined, '__qualname__', name)}"
    above = module.count(".") + (Path(file).name == "__init__.py")
    folder = str(Path(file).absolute().parents[above]) if file else ""
    _plugins[name] = Plugin(noun, name, place, folder)
    try:
        content = Path(file).read_bytes()
    except OSError:  # such as one that was typed in
        content = repr(target).encode()
    _sources[name] = hashlib.sha256(content).hexdigest()


def plugin_sources(settings: Any) -> dict[str, str]:
    """Return the SHA-256 of the sources of all plugins that settings, as JSON, name."""
    return {name: _sources[name] for name in _texts(settings) if name in _sources}


def plugins_of(settings: Any) -> tuple[Plugin, ...]:
    """Return the plugins that settings, as JSON, name, for other processes to load.

    Raises `ConfigError` for one that only this process has, such as a class of a notebook.
    """
    names = dict.fromkeys(_texts(settings))
    found = tuple(_plugins[name] for name in names if name in _plugins)
    typed_in = [one.name for one in found if one.place.startswith(HERE)]
    for name in dict.fromkeys([*typed_in, *(name for name in names if name.startswith(HERE))]):
        raise ConfigError(
            f"the plugin '{name}' is defined in this notebook or script, which workers cannot import; move it"
            f" into a module, such as my_plugins.py, and name it my_plugins:{name.split(':')[-1]}"
        )
    return found


def load_plugins(plugins: Iterable[Plugin]) -> None:
    """Make the plugins of another process known here; raises `ConfigError` for one that is not importable."""
    for one in plugins:
        if one.folder and one.folder not in sys.path:
            sys.path.append(one.folder)
        registry = _registries.get(one.noun)
        if registry is not None and one.name not in registry and ":" not in one.name:
            registry.register(one.name, load_place(one.noun, one.place, one.place))


def _texts(settings: Any) -> Iterator[str]:
    """Yield all texts in settings as JSON, at any depth."""
    if isinstance(settings, dict):
        settings = list(settings.values())
    if isinstance(settings, list | tuple):
        for one in settings:
            yield from _texts(one)
    elif isinstance(settings, str):
        yield settings
