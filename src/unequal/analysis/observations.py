"""Observations: the score table as frames with run labels, which every estimator starts from."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from unequal.analysis.covariates import ANSWER_TOKENS, OBJECT_RARITY, answer_tokens, object_rarity
from unequal.errors import DataError
from unequal.evaluation.known_by import KnownBy, gated
from unequal.evaluation.score_table import BUCKET, OPTIONAL_SCORES, SCORE_KEY
from unequal.records import refuse_rows

PLAIN_WEIGHTING = ("", "uniform", "none")
MIXED, SINGLE = "mixed levels", "one level alone"
MODEL_COLUMNS = ["model", "base", "method", "plain", "target_kind", "target", "seed_cluster"]
KEPT = ["step", "fact_id", "person", "relation", "role", "exposure", "count"]
KEPT += ["probe", "metric", "kind", "value"]
QUESTION_METRICS = (
    "said",
    "rouge_l_recall",
    "answer_log_prob",
    "answer_prob",
    "choice_accuracy",
    "first_token_rank",
)


@dataclass(frozen=True)
class Observations:
    """The scores with each run's labels, the runs, and the forget facts' question scores side by side.

    ``forget`` has one row per run, step and fact with the question's metrics as columns, ``known``
    (its greedy text said the answer before unlearning), ``known_choice``, and what may stand behind its
    forgetting: ``log2_exposure``, ``start_log_prob``, ``answer_tokens`` and ``object_rarity``.

    Every fact stands in a level, in the column ``exposure``: its exposure where that was assigned, the place
    of its bucket (1 is the rarest) where it has a natural count, null without buckets. A natural count is no
    exposure, so ``log2_exposure`` is null there.
    """

    scores: pl.DataFrame
    runs: pl.DataFrame
    forget: pl.DataFrame
    missing: pl.DataFrame

    def mixed(self) -> pl.DataFrame:
        """Return the forget rows of runs whose forget set mixes exposure levels."""
        return self.forget.filter(pl.col("target_kind") == MIXED)

    def of_known_facts(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return the rows of facts that their run's model said before unlearning."""
        known = self.mixed().filter("known").select("run_id", "fact_id").unique()
        return rows.join(known, on=["run_id", "fact_id"], how="semi", maintain_order="left")

    def pick(self, probe: str, metric: str, roles: Sequence[str]) -> pl.DataFrame:
        """Return the score rows of one probe and metric in some roles."""
        return self.scores.filter(
            (pl.col("probe") == probe) & (pl.col("metric") == metric) & pl.col("role").is_in(list(roles))
        )


def observe(
    scores: pl.DataFrame, generations: pl.DataFrame | None = None, known_by: KnownBy | None = None
) -> Observations:
    """Return the observations of a study; raises `DataError` when rows repeat, hold infinity, or a run
    has no step 0.

    ``generations`` shows how many facts share an answer; without it ``object_rarity`` is null. The reading of
    texts named by ``known_by`` becomes the metric ``said``.
    """
    _refuse_repeats(scores)
    scores = gated(scores, known_by)
    missing = scores.filter(pl.col("value").is_null() | pl.col("value").is_nan())
    scores = scores.with_columns(
        pl.col("subject").fill_null("unknown").alias("person"),
        pl.col("value").fill_nan(None),
        _level(scores).alias("exposure"),
    )
    runs = _runs(scores)
    table = scores.filter(pl.col("value").is_not_null()).select("run_id", *KEPT)
    table = table.join(runs.select("run_id", *MODEL_COLUMNS), on="run_id", how="left")
    return Observations(
        scores=table,
        runs=runs,
        forget=_with_rarity(_forget(table), scores, generations),
        missing=missing.group_by("probe", "metric", "role", "reason")
        .agg(pl.len().alias("rows"))
        .sort("rows"),
    )


def _refuse_repeats(scores: pl.DataFrame) -> None:
    if scores.is_empty():
        raise DataError("the score table has no rows; run the study's evaluation first")
    what = "column value holds infinity, of which no mean can be taken"
    advice = "leave the row's value empty, with a reason"
    refuse_rows(scores, pl.col("value").is_infinite(), what, "the score table", advice)
    keys = scores.select(pl.struct(SCORE_KEY).hash())
    if keys.n_unique() < scores.height:
        repeated = scores.filter(scores.select(SCORE_KEY).is_duplicated()).row(0, named=True)
        where = ", ".join(f"{key}={repeated[key]}" for key in SCORE_KEY)
        raise DataError(f"the score table holds more than one row for {where}; each key may occur once")
    without = scores.group_by("run_id").agg(pl.col("step").min()).filter(pl.col("step") != 0)
    if without.height:
        raise DataError(
            f"run {without['run_id'].sort()[0]} has no rows at step 0, the model before unlearning"
        )


def _assigned() -> pl.Expr:
    """Return the exposure of facts that have no natural count, null for the others."""
    return pl.when(pl.col("count").is_null()).then(pl.col("exposure"))


def _level(scores: pl.DataFrame) -> pl.Expr:
    never_seen = (pl.col("role") == "never_seen").fill_null(False)
    bucket = 1 + pl.col(BUCKET) if BUCKET in scores.columns else pl.lit(None, pl.Int64)
    return pl.when(pl.col("count").is_null() | never_seen).then(pl.col("exposure")).otherwise(bucket)


def _runs(scores: pl.DataFrame) -> pl.DataFrame:
    labels = [
        "family",
        "size",
        "n_params",
        "wording",
        "pretrain_seed",
        "method",
        "weighting",
        "target",
        "seed",
        *[column for column in OPTIONAL_SCORES if column in scores.columns],
    ]
    forget = pl.col("role") == "forget"
    runs = scores.group_by("run_id").agg(
        *[pl.col(label).first() for label in labels],
        pl.col("exposure").filter(forget).n_unique().alias("n_levels"),
        pl.col("exposure").filter(forget).max().alias("target_exposure"),
        pl.col("step").max().alias("last_step"),
    )
    several = runs["wording"].n_unique() > 1
    wording = pl.concat_str(pl.lit(", "), pl.col("wording")) if several else pl.lit("")
    plain = pl.col("weighting").fill_null("").is_in(PLAIN_WEIGHTING)
    others = [
        pl.concat_str(pl.lit(", "), column).fill_null("") for column in labels if column in OPTIONAL_SCORES
    ]
    model = pl.concat_str(pl.col("family"), pl.lit(" "), pl.col("size"), wording, *others)
    pretrain = pl.col("pretrain_seed").fill_null(0)
    mixed = (pl.col("target") == "mixed") | (pl.col("n_levels") > 1)
    return runs.with_columns(
        model.fill_null("model").alias("model"),
        pl.format("{} #{}", model.fill_null("model"), pretrain).alias("base"),
        pl.format("{}/{}", pretrain, pl.col("seed").fill_null(0)).alias("seed_cluster"),
        plain.alias("plain"),
        pl.col("method").alias("objective"),
        pl.when(plain)
        .then(pl.col("method"))
        .otherwise(pl.format("{} + {}", "method", "weighting"))
        .alias("method"),
        pl.when(mixed).then(pl.lit(MIXED)).otherwise(pl.lit(SINGLE)).alias("target_kind"),
        pl.when(~mixed).then(pl.col("target_exposure")).alias("target_exposure"),
    ).sort("model", "method", "target", "pretrain_seed", "seed")


def _forget(table: pl.DataFrame) -> pl.DataFrame:
    rows = table.filter(
        (pl.col("role") == "forget")
        & (pl.col("probe") == "question")
        & pl.col("metric").is_in(QUESTION_METRICS)
    )
    index = [
        "run_id",
        *MODEL_COLUMNS,
        *[column for column in KEPT if column not in ("metric", "kind", "value")],
    ]
    metrics = [
        pl.col("value").filter(pl.col("metric") == metric).first().alias(metric)
        for metric in QUESTION_METRICS
    ]
    wide = rows.group_by(index).agg(metrics)
    start = wide.filter(pl.col("step") == 0).select(
        "run_id",
        "fact_id",
        (pl.col("said") == 1).fill_null(False).alias("known"),
        (pl.col("choice_accuracy") == 1).fill_null(False).alias("known_choice"),
        pl.col("answer_log_prob").alias("start_log_prob"),
    )
    joined = wide.join(start, on=["run_id", "fact_id"], how="left")
    return joined.with_columns(
        pl.col("known", "known_choice").fill_null(False),
        pl.when(_assigned() > 0).then(_assigned().log(2)).alias("log2_exposure"),
        answer_tokens().alias(ANSWER_TOKENS),
    ).sort("run_id", "fact_id", "step")


def _with_rarity(
    forget: pl.DataFrame, scores: pl.DataFrame, generations: pl.DataFrame | None
) -> pl.DataFrame:
    if generations is None:
        return forget.with_columns(pl.lit(None, pl.Float64).alias(OBJECT_RARITY))
    rarity = object_rarity(scores, generations)
    return forget.join(rarity, on=["run_id", "fact_id"], how="left", maintain_order="left")
