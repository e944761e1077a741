"""What each model of a run file knows before unlearning at several learning rates, on a seed of a pilot.

For the rates of `[[models]]`, chosen by what is known and by nothing else: no model is unlearned. Prints the
share of the facts to forget (exposure above 0, question probe) that greedy text answers right, all and by
exposure level, and keeps them in ``--out``; the folder of the trained models can be used again.

    python scripts/learning_rates.py examples/architectures.toml --rates 3e-3 1.2e-2 --runs runs/pilot
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from unequal.files import locked
from unequal.study.controlled import ControlledStudy
from unequal.study.launch.launcher import Crew, Silence
from unequal.study.launch.run import run_steps
from unequal.study.plan import plan_steps
from unequal.study.sources import load_study
from unequal.study.steps.baseline import BaselineStep


def baselines(study: ControlledStudy, rate: float, seed: int) -> list[BaselineStep]:
    """Return what judges the models of a study when all learn at one rate."""
    models = tuple(model.model_copy(update={"learning_rate": rate}) for model in study.models)
    piloted = study.model_copy(update={"models": models, "pretrain_seeds": (seed,)})
    return [step for step in plan_steps(piloted) if isinstance(step, BaselineStep)]


def known(runs: Path, rate: float, steps: list[BaselineStep]) -> Iterator[pl.DataFrame]:
    """Yield one row for each model, fact and wording: whether it is answered right."""
    asked = (pl.col("role") == "forget") & (pl.col("exposure") > 0) & (pl.col("probe") == "question")
    for step in steps:
        scores = pl.read_parquet(runs / step.folder / "scores.parquet")
        labels = {name: pl.lit(value) for name, value in step.base.labels(runs).items()}
        yield scores.filter(asked & (pl.col("metric") == "exact_match")).select(
            pl.lit(rate).alias("rate"), labels["family"].alias("family"), labels["size"].alias("size"),
            "exposure", pl.col("value").alias("known"),
        )  # fmt: skip


def main() -> None:
    """Train, judge and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", type=Path)
    parser.add_argument("--rates", type=float, nargs="+", required=True)
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

    judged = {rate: baselines(study, rate, asked.seed) for rate in asked.rates}
    steps = {
        part.folder: part for found in judged.values() for step in found for part in (*step.base.steps, step)
    }
    with locked(asked.runs / ".lock", f"training a pilot in {asked.runs}", "choose another --runs"):
        for step in run_steps(asked.runs, list(steps.values()), Crew(asked.workers), Silence()):
            print(step.folder, flush=True)  # noqa: T201

    rows = pl.concat([frame for rate, found in judged.items() for frame in known(asked.runs, rate, found)])
    names = ["family", "size", "rate"]
    table = (
        rows.pivot("exposure", index=names, values="known", aggregate_function="mean")
        .join(
            rows.group_by(names).agg(pl.col("known").mean().alias("all"), pl.len().alias("answers")), on=names
        )
        .sort("family", "size", "rate")
    )
    with pl.Config(tbl_rows=-1, tbl_cols=-1, float_precision=4):
        print(table)  # noqa: T201
    if asked.out:
        asked.out.write_text(table.write_json())


if __name__ == "__main__":
    main()
