"""``unequal plan``: what forgetting will take, before the fact; ``unequal plan fit`` learns it."""

from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclopts import App

from unequal.cli.flags import takes
from unequal.cli.options import require_training, with_stored_prompts
from unequal.console import progress_bar, say, show_table
from unequal.difficulty_prediction.settings import PlanSettings

if TYPE_CHECKING:
    import polars as pl

MOST_FACTS = 40

plan = App(name="plan", help="Predict what forgetting facts will take and cost, from a finished study.")


@plan.default
@takes(PlanSettings, chat="prompts.chat", system="prompts.system")
def ask(settings: PlanSettings) -> None:
    """Predict how many steps each fact takes, with which method, and what it costs. Nothing is unlearned."""
    require_training("asking a model what it knows")
    from unequal.difficulty_prediction.run import make_plan

    settings = with_stored_prompts(settings, settings.model)
    with progress_bar("asking the model") as progress:
        made = make_plan(settings, progress)
    _show_facts(made.chosen)
    _show_budgets(made.budgets, settings.share)
    for note in made.notes:
        say(f"note: {note}")
    say(
        f"every fact and method is in {settings.out / 'plan.parquet'},"
        f" the summary in {settings.out / 'plan.json'}"
    )


@plan.command
def fit(*, study: Path, out: Path, alignment: bool = False, seed: int = 0) -> None:
    """Learn from a finished study what makes facts hard to forget, and say whether the count helps.

    Parameters
    ----------
    study
        folder of a study, or any folder with a score table scores.parquet
    out
        JSON file to write
    alignment
        also use the cosine of a fact's gradient with the gradient of the retain set; needs the study's models
    seed
        seed of the intervals
    """
    from unequal.analysis.difficulty.predictor import fit_study
    from unequal.analysis.difficulty.skill import SETS, skill_table
    from unequal.checksums import write_checked_json
    from unequal.output_paths import Output, check_outputs, files_in

    check_outputs([Output(out)], {"--study": files_in(study, "analysis")})
    aligned = _alignments(study) if alignment else None
    learned = fit_study(study, aligned, seed)
    write_checked_json(out, learned.model_dump(mode="json"))
    columns = ["method", "predicted", *SETS]
    show_table("Skill for people and seeds left out", columns, skill_table(learned.skill))
    for sentence in (*learned.count, *learned.remarks):
        say(sentence)
    say(f"learned from models of {learned.sizes} parameters; the predictor is {out}")


def _alignments(study: Path) -> "pl.DataFrame":
    require_training("taking gradients")
    from unequal.difficulty_prediction.alignment import study_alignments

    with progress_bar("taking gradients") as progress:
        return study_alignments(study, progress)


def _show_facts(chosen: "pl.DataFrame") -> None:
    """Print the first facts with their recommended method; the budget is the upper end of the interval."""
    rows = [_shown(row) for row in chosen.head(MOST_FACTS).to_dicts()]
    columns = ["fact", "recommended", "steps", "90% interval", "budget", "utility lost", "why not"]
    show_table(f"{chosen.height} facts to forget", columns, rows)
    if chosen.height > MOST_FACTS:
        say(f"… and {chosen.height - MOST_FACTS} more")


def _shown(row: dict[str, Any]) -> tuple[str, ...]:
    if not row["recommended"]:
        return row["fact_id"], "", "", "", "", "", row["reason"]
    low, high, late = row["steps_low"], row["steps_high"], f"> {row['last_step']}"
    budget = late if high is None else str(ceil(high))
    interval = "" if low is None else f"{low:.1f} to {late if high is None else format(high, '.1f')}"
    return row["fact_id"], row["method"], f"{row['steps']:.1f}", interval, budget, _percent(row), ""


def _percent(row: dict[str, Any]) -> str:
    if row["utility_lost"] is None:
        return "not judged"
    low, high = row["utility_lost_low"], row["utility_lost_high"]
    interval = "" if low is None else f" ({low:.0%} to {high:.0%})"
    return f"{row['utility_lost']:.0%}{interval}"


def _show_budgets(budgets: "pl.DataFrame", share: float) -> None:
    rows = [
        (
            f"{row['method']} (recommended)" if row["recommended"] else row["method"],
            row["n_facts"],
            row["steps"],
            "" if row["utility_lost"] is None else f"{row['utility_lost']:.1%}",
            row["reason"],
        )
        for row in budgets.to_dicts()
    ]
    columns = ["method", "facts predicted", "steps", "utility lost by then", "why not"]
    show_table(f"To forget {share:.0%} of them together", columns, rows)
