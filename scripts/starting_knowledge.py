"""What each model of a run file knows before unlearning after other training, on a seed of a pilot.

For the rates and epochs of `[[models]]`, chosen by what is known and by nothing else: no model is unlearned.
Prints the share of the facts to forget (shown in training, question probe) that greedy text answers right,
all and by level, and keeps them in ``--out``; the folder of the trained models can be used again.

    python scripts/starting_knowledge.py examples/architectures.toml --rates 3e-3 1.2e-2 --runs runs/x
    python scripts/starting_knowledge.py examples/factors.toml --families llama --epochs 40 --runs runs/x
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import polars as pl

from unequal.evaluation.known_by import SAID, gated
from unequal.files import locked
from unequal.study.controlled import ControlledStudy
from unequal.study.expand import plan_steps
from unequal.study.launch.launcher import ExecutorSettings, Silence
from unequal.study.launch.run import run_steps
from unequal.study.sources import load_study
from unequal.study.steps.baseline import BaselineStep


class Trial(NamedTuple):
    """How all models of a trial are trained; None is as the run file says."""

    learning_rate: float | None
    epochs: int | None


def baselines(study: ControlledStudy, trial: Trial, seed: int) -> list[BaselineStep]:
    """Return what judges the models of a study when all are trained as a trial says."""
    changes = {name: value for name, value in trial._asdict().items() if value is not None}
    models = tuple(model.model_copy(update=changes) for model in study.models)
    piloted = study.model_copy(update={"models": models, "pretrain_seeds": (seed,)})
    return [step for step in plan_steps(piloted) if isinstance(step, BaselineStep)]


def known(runs: Path, steps: list[BaselineStep]) -> Iterator[pl.DataFrame]:
    """Yield one row for each model, fact and wording: whether it is answered right."""
    asked = (pl.col("role") == "forget") & (pl.col("exposure") > 0) & (pl.col("probe") == "question")
    for step in steps:
        scores = gated(pl.read_parquet(runs / step.folder / "scores.parquet"))
        base = step.base
        how = {
            "family": base.model.family,
            "size": base.model.size,
            "rate": base.pretrain.optimiser.learning_rate,
            "epochs": base.corpus.corpus.epochs,
        }
        level = (pl.col("exposure") / how["epochs"]).round().cast(pl.Int64).alias("level")
        columns = [*(pl.lit(value).alias(name) for name, value in how.items()), level]
        yield scores.filter(asked & (pl.col("metric") == SAID)).select(
            *columns, pl.col("value").alias("known")
        )


def main() -> None:
    """Train, judge and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", type=Path)
    parser.add_argument("--rates", type=float, nargs="+", default=[None], help="by default the run file's")
    parser.add_argument("--epochs", type=int, nargs="+", default=[None], help="by default the run file's")
    parser.add_argument("--seed", type=int, default=90, help="of pre-training")
    parser.add_argument("--families", nargs="+", help="by default all of the run file")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the trained models")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()

    study = load_study(asked.study)
    if not isinstance(study, ControlledStudy):
        parser.error(f"{asked.study}: only controlled studies assign exposure")
    if asked.seed in study.pretrain_seeds:
        parser.error(f"--seed {asked.seed}: the study uses it; a pilot takes another")
    listed = [model.family for model in study.models]
    families = asked.families or listed
    if unknown := sorted(set(families) - set(listed)):
        parser.error(f"--families {' '.join(unknown)}: {asked.study} has {', '.join(listed)}")
    study = study.model_copy(update={"models": tuple(m for m in study.models if m.family in families)})

    trials = [Trial(rate, epochs) for rate in asked.rates for epochs in asked.epochs]
    judged = {trial: baselines(study, trial, asked.seed) for trial in trials}
    steps = {
        part.folder: part for found in judged.values() for step in found for part in (*step.base.steps, step)
    }
    with locked(asked.runs / ".lock", f"training a pilot in {asked.runs}", "choose another --runs"):
        for step in run_steps(asked.runs, list(steps.values()), ExecutorSettings(asked.workers), Silence()):
            print(step.folder, flush=True)  # noqa: T201

    rows = pl.concat([frame for found in judged.values() for frame in known(asked.runs, found)])
    names = ["family", "size", "rate", "epochs"]
    table = (
        rows.pivot("level", index=names, values="known", aggregate_function="mean")
        .join(
            rows.group_by(names).agg(pl.col("known").mean().alias("all"), pl.len().alias("answers")), on=names
        )
        .sort(names)
    )
    with pl.Config(tbl_rows=-1, tbl_cols=-1, float_precision=4):
        print(table)  # noqa: T201
    if asked.out:
        asked.out.write_text(table.write_json())


if __name__ == "__main__":
    main()
