"""Flags from settings: a command takes every setting of its model, by the same name, type, default and text.

A setting of a table is a flag too: ``steps`` of the table ``unlearn`` is ``--unlearn.steps``, and where a
command names it, ``--steps``. A list is given by repeating its flag; names and numbers may also stand in one
flag, parted by commas.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from cyclopts import Group, Parameter, Token
from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo

from unequal.cli.options import peek, settings_from
from unequal.errors import ConfigError
from unequal.facts.role_tables import FactTables
from unequal.registry import Registry

Command = Callable[..., None]
PLAIN = (bool, int, float, Path)


@dataclass(frozen=True)
class Setting:
    """A setting of a command by its key, such as ``unlearn.steps``, and what its user is told."""

    key: str
    kind: Any  # what a flag gives: a plain type, str, or a list of these
    meaning: str
    default: str = ""
    required: bool = False
    group: str = ""

    @property
    def is_of_table(self) -> bool:
        """Whether it is a setting of a table."""
        return "." in self.key

    @property
    def full_text(self) -> str:
        """The help of its flag with the default."""
        return f"{self.text} [default: {self.default}]" if self.default else self.text

    @property
    def text(self) -> str:
        """The help of its flag."""
        return f"{self.meaning} [required]" if self.required else self.meaning

    def parameter(self, name: str = "", show: bool = True) -> inspect.Parameter:
        """Return the parameter of a command that gives the setting, by its own name or another."""
        group = Group(f"With --{self.group}", sort_key=1) if self.group else None
        shown = _flag(self, name=f"--{(name or self.key).replace('_', '-')}", show=show)
        if group:
            shown = Parameter.combine(shown, Parameter(group=group))
        identifier = (name or self.key).replace(".", "__")
        return _optional(identifier, self.kind, shown)


def settings_of(model: type[BaseModel]) -> list[Setting]:
    """Return every setting of a model and its tables: required ones, those of facts, own, inherited ones."""
    facts = FactTables.model_fields if issubclass(model, FactTables) else ()
    own = [name for name in model.model_fields if name in model.__annotations__]
    order = {name: place for place, name in enumerate(dict.fromkeys((*facts, *own)))}
    found = sorted(_walk(model), key=lambda one: order.get(one.key.split(".")[0], len(order)))
    return sorted(found, key=lambda one: not one.required)


def takes(model: type[BaseModel] | Registry[Any], by: str = "", **short: str) -> Callable[[Command], Command]:
    """Return what makes a function of settings a command with a flag for each of them.

    Of a registry of models the setting ``by`` chooses one. ``short`` names flags for settings of tables.
    Parameters of the function besides its settings stay flags or words of the command.
    """
    settings = _of_registry(model, by) if isinstance(model, Registry) else settings_of(model)

    def chosen(config: Path | None, given: Mapping[str, Any]) -> type[BaseModel]:
        if not isinstance(model, Registry):
            return model
        name = given.get(by) or peek(config, by, next(iter(model)))
        return cast("type[BaseModel]", model.get(name))

    def decorate(function: Command) -> Command:
        own = list(inspect.signature(function).parameters.values())[1:]
        flags = [
            *_flags(settings, short),
            _config_flag(settings, function.__module__.rpartition(".")[2].replace("_", "-")),
        ]
        keys = {flag.name: short.get(flag.name, flag.name.replace("__", ".")) for flag in flags}

        @wraps(function)
        def run(*words: Any, config: Path | None = None, **given: Any) -> None:
            values: dict[str, Any] = {}
            for name, value in given.items():
                if (key := keys.get(name)) and value is not None:
                    if key in values:
                        raise ConfigError(f"{key} is given by two flags; leave one out")
                    values[key] = value
            rest = {name: value for name, value in given.items() if name not in keys}
            if any(parameter.name == "config" for parameter in own):
                rest["config"] = config
            function(settings_from(chosen(config, values), config, values), *words, **rest)

        del run.__wrapped__
        parameters = [one for one in own if one.name != "config"] + flags
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.settings = settings  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        return run

    return decorate


def listed(_kind: Any, tokens: Sequence[Token]) -> list[str]:
    """Return the items of a list from flags that each give one, or several parted by commas."""
    return [part.strip() for token in tokens for part in token.value.split(",")]


Names = Annotated[list[str] | None, Parameter(converter=listed, negative_iterable=())]
"""A list of names, for commands that take no settings."""


def shown(model: type[BaseModel], name: str) -> Parameter:
    """Return the help of a setting, for a command that takes no more of its model."""
    setting = next(one for one in settings_of(model) if one.key == name)
    return _flag(setting)


def _walk(
    model: type[BaseModel], within: str = "", example: BaseModel | None = None, required: bool = True
) -> Iterator[Setting]:
    """Yield the settings below a key; ``example`` holds the defaults where there is one."""
    for name, field in model.model_fields.items():
        table, must = _table(field.annotation), required and field.is_required()
        default = getattr(example, name) if example else None if field.is_required() else field.default
        if table is None:
            one = Setting(within + name, _kind(field.annotation), _meaning(field), _default(default), must)
            yield one
        else:
            inner = default if isinstance(default, BaseModel) else None
            chosen = _is_chosen(field.annotation, field.metadata)
            for one in _walk(table, f"{within}{name}.", inner, must):
                is_own = chosen and not one.required and not one.key.endswith(".kind")
                yield replace(one, default=f"the {name}'s own") if is_own else one


def _of_registry(registry: Registry[Any], by: str) -> list[Setting]:
    """Return the settings of all models of a registry, grouped by the one that alone has them."""
    having: dict[str, dict[str, Setting]] = {}
    for name, model in registry.items():
        for setting in settings_of(model):
            having.setdefault(setting.key, {})[name] = setting
    found = []
    for key, of_models in having.items():
        first, *others = of_models.items()
        one = replace(first[1], group="" if others else f"{by} {first[0]}")
        found.append(replace(one, meaning=f"{one.meaning}: {', '.join(registry)}") if key == by else one)
    return found


def _flags(settings: Sequence[Setting], short: Mapping[str, str]) -> Iterator[inspect.Parameter]:
    """Yield the flags of settings; help shows one of each, and of tables those with a short name."""
    names = {key: name for name, key in short.items()}
    for setting in settings:
        if setting.key in names:
            yield setting.parameter(names[setting.key], show=setting.is_of_table)
        yield setting.parameter(show=not setting.is_of_table)


def _config_flag(settings: Sequence[Setting], command: str) -> inspect.Parameter:
    tables = list(dict.fromkeys(one.key.split(".")[0] for one in settings if one.is_of_table))
    text = "TOML file with any of these settings; flags win"
    if tables:
        example = next(one.key for one in settings if one.is_of_table).replace("_", "-")
        text += (
            f". It may hold the table{'s' * (len(tables) > 1)} {', '.join(tables)}, whose settings are flags"
            f" too,"
            f" such as --{example}; see: unequal list settings {command}"
        )
    return _optional("config", Path, Parameter(help=text))


def _optional(name: str, kind: Any, shown: Parameter) -> inspect.Parameter:
    """Return the parameter of a flag that may be left out."""
    annotation = Annotated[kind | None, shown]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _flag(setting: Setting, **more: Any) -> Parameter:
    """Return the help of a setting's flag, and how its words are read."""
    if setting.kind == list[str]:
        more["converter"] = listed
    return Parameter(help=setting.text, show_default=setting.default or False, negative_iterable=(), **more)


def _table(annotation: Any) -> type[BaseModel] | None:
    """Return the model of a setting that is a table, or that may be one."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, UnionType, Annotated):
        return next((found for part in get_args(annotation) if (found := _table(part))), None)
    return None


def _is_chosen(annotation: Any, metadata: Sequence[Any] = ()) -> bool:
    """Return whether a name may stand for a table, which then has defaults of its own."""
    of_parts = (_is_chosen(part, getattr(part, "__metadata__", ())) for part in get_args(annotation))
    return any(isinstance(one, BeforeValidator) for one in metadata) or any(of_parts)


def _kind(annotation: Any) -> Any:
    """Return what the flag of a setting gives; what only the settings can check is a text."""
    if annotation in PLAIN:
        return annotation
    if get_origin(annotation) is tuple:
        return list[Path] if get_args(annotation)[0] is Path else list[str]
    if get_origin(annotation) in (Union, UnionType, Annotated):
        kinds = [_kind(part) for part in get_args(annotation) if part is not type(None)]
        return next((kind for kind in kinds if kind is not str), str)
    return str


def _meaning(field: FieldInfo) -> str:
    """Return the description of a setting, with its choices where it does not say them."""
    text, choices = field.description or "", _choices(field.annotation)
    if len(choices) < 2 or all(choice in text for choice in choices):
        return text
    return f"{text}: {', '.join(choices)}".removeprefix(": ")


def _choices(annotation: Any) -> list[str]:
    if get_origin(annotation) is Literal:
        return [str(choice) for choice in get_args(annotation)]
    return [choice for part in get_args(annotation) for choice in _choices(part)]


def _default(value: Any) -> str:
    """Return a default as help shows it: nothing for what is not there, off or empty."""
    if value is None or value is False or value in ("", ()):
        return ""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value).lower() if value is True else str(value)
