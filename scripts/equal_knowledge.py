"""Keep of a study's facts to forget those that every model knew, so that `unequal analyze` compares equals.

A model knew a fact when greedy text answered its question right before unlearning. Models are compared within
a pre-training seed, which gives all the same people; a seed with fewer than ``--least`` common facts, all
targets together, is left out. Other roles stay as they are.

    python scripts/equal_knowledge.py runs/architectures --families gpt2 gemma3 --out runs/same-facts
    unequal analyze runs/same-facts
"""

import argparse
from pathlib import Path

import polars as pl

from unequal.evaluation.known_by import SAID, gated

MODEL = ("family", "size", "wording")
KNOWN = (
    (pl.col("role") == "forget")
    & (pl.col("step") == 0)
    & (pl.col("probe") == "question")
    & (pl.col("metric") == SAID)
    & (pl.col("value") == 1)
)


def common_facts(scores: pl.DataFrame, least: int) -> pl.DataFrame:
    """Return ``pretrain_seed`` and ``fact_id`` of the facts to forget that all models knew."""
    n_models = scores.select(pl.struct(*MODEL).n_unique()).item()
    known = (
        gated(scores)
        .filter(KNOWN)
        .group_by("pretrain_seed", "fact_id")
        .agg(pl.struct(*MODEL).n_unique().alias("n"))
    )
    found = known.filter(pl.col("n") == n_models).drop("n")
    return found.filter(pl.len().over("pretrain_seed") >= least).sort("pretrain_seed", "fact_id")


def main() -> None:
    """Write the scores that stay, and print how many facts each seed has."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("studies", type=Path, nargs="+", help="of pre-training seeds of their own")
    parser.add_argument("--families", nargs="+", help="by default all")
    parser.add_argument("--least", type=int, default=20)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    for study in asked.studies:
        if not (study / "scores.parquet").is_file():
            parser.error(f"{study} holds no scores.parquet; run its study first")

    scores = pl.concat([pl.read_parquet(study / "scores.parquet") for study in asked.studies], how="diagonal")
    if asked.families:
        if missing := sorted(set(asked.families) - set(scores["family"])):
            parser.error(
                f"--families {' '.join(missing)}: the studies have {', '.join(sorted(set(scores['family'])))}"
            )
        scores = scores.filter(pl.col("family").is_in(asked.families))
    common = common_facts(scores, asked.least)
    if common.is_empty():
        parser.error(f"no pre-training has {asked.least} facts that every model knew")
    within = scores.join(common.select("pretrain_seed").unique(), on="pretrain_seed", how="semi")
    asked_about = within.filter(pl.col("role") == "forget").join(common, on=common.columns, how="semi")
    asked.out.mkdir(parents=True, exist_ok=True)
    pl.concat([within.filter(pl.col("role") != "forget"), asked_about]).write_parquet(
        asked.out / "scores.parquet"
    )
    print(common.group_by("pretrain_seed").len("facts").sort("pretrain_seed"))  # noqa: T201


if __name__ == "__main__":
    main()
