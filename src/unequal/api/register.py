"""Register a method, metric or attack of one's own by a name."""

from collections.abc import Callable
from functools import wraps
from inspect import cleandoc
from typing import TypeVar

from unequal.attacks import ATTACKS
from unequal.attacks.attack import Attack
from unequal.errors import ConfigError
from unequal.evaluation.metrics import METRICS
from unequal.evaluation.metrics.contract import (
    Chance,
    Direction,
    Kind,
    Metric,
    Need,
    NoValueError,
    ProbeRecord,
)
from unequal.unlearning.method import Method
from unequal.unlearning.methods import METHODS

Plugin = TypeVar("Plugin")


def register(plugin: Plugin, name: str | None = None) -> Plugin:
    """Register a `Method` or `Attack` class, or a `Metric`, so that its name can be used in this process.

    The default name is the class's in lower case, or the metric's own. Returns the plugin, so that it can be
    a decorator. Raises `ConfigError` for anything else, and for a name that comes with unequal.
    """
    if isinstance(plugin, Metric):
        METRICS.register(name or plugin.name, plugin)
    elif isinstance(plugin, type) and issubclass(plugin, Method):
        METHODS.register(name or plugin.__name__.lower(), plugin)
    elif isinstance(plugin, type) and issubclass(plugin, Attack):
        ATTACKS.register(name or plugin.__name__.lower(), plugin)
    else:
        raise ConfigError(f"{plugin!r} cannot be registered: it is no Method or Attack class and no Metric")
    return plugin


def metric(
    kind: Kind = "generation",
    *,
    direction: Direction = "higher means known",
    low: float = 0.0,
    high: float = 1.0,
    needs: tuple[Need, ...] = (),
    source: str = "",
) -> Callable[[Callable[[ProbeRecord], float]], Metric]:
    """Return a decorator that makes a metric of a function from a probe's record to a number.

    The metric has the function's name, and the first line of its docstring as formula. ``kind`` says what it
    looks at (``generation``, ``probability`` or ``privacy``), ``needs`` which passes: by default the
    generated text, or the scores of answers; where one was not run there is no value. A function without a
    value raises `NoValueError`.
    """

    def made(value: Callable[[ProbeRecord], float]) -> Metric:
        formula = cleandoc(value.__doc__ or value.__name__).split("\n", 1)[0]
        passes: tuple[Need, ...] = needs or (("generation",) if kind == "generation" else ("scores",))

        @wraps(value)
        def of_record(record: ProbeRecord) -> float:
            for need in passes:
                if getattr(record, need, record) is None:
                    raise NoValueError(f"the pass that gives {need} was not run")
            return value(record)

        return Metric(
            name=value.__name__, kind=kind, direction=direction, low=low, high=high, formula=formula,
            chance=Chance("not stated"), source=source, value=of_record, needs=passes,
        )  # fmt: skip

    return made
