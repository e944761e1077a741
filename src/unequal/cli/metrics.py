"""``unequal metrics``."""

from unequal.console import say, show_table


def metrics(name: str | None = None) -> None:
    """List the metrics, or show one with its definition, range, chance level and source.

    Parameters
    ----------
    name
        A metric to show.
    """
    from unequal.evaluation.metrics import METRICS  # noqa: PLC0415

    if name is None:
        rows = [
            (key, m.kind, m.direction, f"[{m.low:g}, {m.high:g}]", m.chance) for key, m in METRICS.items()
        ]
        show_table("Metrics", ["name", "kind", "direction", "range", "chance level"], rows)
        return
    metric = METRICS.get(name)
    say(f"{metric.name} ({metric.kind}; {metric.direction})\n\n{metric.value.__doc__}\n")
    say(f"Range: [{metric.low:g}, {metric.high:g}]\nChance: {metric.chance}\nSource: {metric.source}")
    say(f"Probes: {', '.join(metric.probes)}")
