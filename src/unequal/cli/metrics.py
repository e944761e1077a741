"""``unequal metrics``."""

from inspect import cleandoc

from unequal.cli.options import one_name
from unequal.console import show_table, show_text


def metrics(*words: str) -> None:
    """List the metrics, or show one (unequal metrics show extraction_strength): formula, chance, source.

    Parameters
    ----------
    words
        Nothing; or show and the name of a metric or aggregate; the name alone does the same.
    """
    name = one_name(words, "metric", "metrics show extraction_strength")
    if name:
        _show(name)
    else:
        _list()


def _list() -> None:
    from unequal.evaluation.aggregates import AGGREGATES
    from unequal.evaluation.metrics import METRICS

    shown = ["formula", "direction", "range", "chance level"]
    show_table(
        "Metrics of one fact and probe",
        ["name", "kind", *shown],
        [
            (name, m.kind, m.formula, m.direction, _range(m.low, m.high), m.chance.words)
            for name, m in METRICS.items()
        ],
    )
    show_table(
        "Aggregates over facts",
        ["name", "of", *shown],
        [
            (name, ", ".join(a.metrics), a.formula, a.direction, _range(a.low, a.high), a.chance)
            for name, a in AGGREGATES.items()
        ],
    )


def _show(name: str) -> None:
    from unequal.evaluation.aggregates import AGGREGATES
    from unequal.evaluation.metrics import METRICS

    if name in AGGREGATES:
        aggregate = AGGREGATES.get(name)
        kind, chance = "aggregate", aggregate.chance
        never_seen = " of facts and of never-seen ones" if aggregate.against_never_seen else ""
        last = f"From: {', '.join(aggregate.metrics)}{never_seen}"
        shown = aggregate.direction, aggregate.formula, aggregate.value, aggregate.low, aggregate.high
        source = aggregate.source
    else:
        metric = METRICS.get(name)
        kind, chance = metric.kind, metric.chance.words
        last = f"Needs: {', '.join(metric.needs)}\nProbes: {', '.join(metric.probes)}"
        shown = metric.direction, metric.formula, metric.value, metric.low, metric.high
        source = metric.source
    direction, formula, value, low, high = shown
    show_text(f"{name} ({kind}; {direction})\n\n  {formula}\n\n{cleandoc(value.__doc__ or '')}\n")
    show_text(f"Range: {_range(low, high)}\nChance: {chance}\nSource: {source}\n{last}")


def _range(low: float, high: float) -> str:
    return f"[{low:g}, {high:g}]"
