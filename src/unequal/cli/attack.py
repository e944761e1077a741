"""``unequal attack``."""

import polars as pl

from unequal.cli.flags import takes
from unequal.cli.options import require_training, with_stored_prompts
from unequal.console import progress_bar, say, show_table
from unequal.evaluation.known_by import KnownBy, known_of
from unequal.study.stages.attack import AttackCommand, run_attack


@takes(AttackCommand, kind="attacks", chat="prompts.chat", system="prompts.system")
def attack(settings: AttackCommand) -> None:
    """Try to get back what a model was made to forget, beside facts that it never saw."""
    require_training("an attack")
    settings = with_stored_prompts(settings, settings.model)
    with progress_bar("attacks") as progress:
        scores = run_attack(settings, progress)
    _show(scores, [one.name for one in settings.attacks], settings.known_by)
    if known_of(scores, settings.known_by, ["forget"]).said == 0:
        say("note: as it is the model says none of the facts to forget; only an attack can show what is left")
    if "never_seen" not in scores["role"]:
        say(
            "warning: there are no never-seen facts, so nothing shows what an attack finds by luck;"
            " give --never-seen, or rows of that role"
        )
    say(f"all scores are in {settings.out / 'scores.parquet'}")


def _show(scores: pl.DataFrame, attacks: list[str], known_by: KnownBy) -> None:
    """Print what is known without an attack and with each: the mean over facts to forget and never seen.

    An attack whose result is no text, such as the logit lens, shows its own metrics.
    """
    means = scores.group_by("metric", "role", maintain_order=True).agg(
        pl.col("value").mean(),
        pl.col("value").null_count().alias("gaps"),
        pl.col("reason").drop_nulls().first(),
    )
    found = {(row["metric"], row["role"]): row for row in means.iter_rows(named=True)}
    rows = []
    for metric in _decisive(scores["metric"].unique(maintain_order=True).to_list(), attacks, known_by):
        forget = found[metric, "forget"]
        control = found.get((metric, "never_seen"), {"value": None})
        gaps = f"{forget['gaps']}: {forget['reason']}" if forget["gaps"] else ""
        rows.append((metric, _number(forget["value"]), _number(control["value"]), gaps))
    show_table(
        "Means over facts", ["metric", "forget", "never seen", "facts to forget without a value"], rows
    )


def _decisive(metrics: list[str], attacks: list[str], known_by: KnownBy) -> list[str]:
    """Return the metrics by the reading of texts, and all of an attack that has none by it."""
    found: list[str] = [known_by]
    for name in attacks:
        own = [metric for metric in metrics if metric.startswith(f"{name}_")]
        read = f"{name}_{known_by}"
        found += [read] if read in own else own
    return [metric for metric in dict.fromkeys(found) if metric in metrics]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
