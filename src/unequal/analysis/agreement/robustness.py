"""Robustness: the share that looks forgotten by each knowledge test and after every attack."""

import polars as pl

from unequal.analysis.agreement.knowledge_tests import GENERATION, PLAIN
from unequal.analysis.effects.pooled import with_all_methods
from unequal.analysis.observations import Observations
from unequal.analysis.stats.bootstrap import (
    Array,
    Resampler,
    aligned_means,
    group_intervals,
    index_groups,
    named_intervals,
)

KEYS = ["model", "method", "attack", "test"]


def robustness(observations: Observations, judgements: pl.DataFrame, resampler: Resampler) -> pl.DataFrame:
    """Return the share in [0, 1] that looks forgotten at the last step, per model, method, attack and test.

    Of the facts known before by generation; higher is more forgotten. ``before`` is the same share at step 0,
    ``never_seen`` the share of facts the model never saw, what complete forgetting looks like, and
    ``by_generation`` the share of the same facts by their plain greedy answer; ``recovered`` is how far
    the share lies below it, above 0 when an attack or test finds facts that were only unsaid. All with 95%
    intervals; all methods are the plain methods' facts taken together.
    """
    rows, before = _known(judgements, observations)
    rows, before = (with_all_methods(part) for part in (rows, before))
    forget, never = (rows.filter(pl.col("role") == role) for role in ("forget", "never_seen"))
    table = index_groups(forget, KEYS)[0]

    def share(part: pl.DataFrame, column: str = "forgotten") -> Array:
        return aligned_means(resampler, part, KEYS, column, table)

    now, plainly = share(forget), share(forget, "plainly")
    others = {
        "before": share(before),
        "never_seen": share(never),
        "by_generation": plainly,
        "recovered": plainly - now,
    }
    parts = [table, group_intervals(now)]
    parts += [named_intervals(samples, name).drop("reason") for name, samples in others.items()]
    return pl.concat(parts, how="horizontal")


def _known(rows: pl.DataFrame, observations: Observations) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the judgements of never-seen facts and of those known before, at each run's last step and at 0.

    At the last step ``plainly`` says whether the plain greedy answer is wrong.
    """
    forget = observations.of_known_facts(rows.filter(pl.col("role") == "forget"))
    rows = pl.concat([forget, rows.filter(pl.col("role") == "never_seen")]).drop_nulls("forgotten")
    last = observations.runs.select("run_id", step="last_step").filter(pl.col("step") > 0)
    now = rows.join(last, on=["run_id", "step"], how="semi", maintain_order="left")
    greedy = now.filter((pl.col("attack") == PLAIN) & (pl.col("test") == GENERATION))
    greedy = greedy.select("run_id", "fact_id", "role", plainly="forgotten")
    now = now.join(greedy, on=["run_id", "fact_id", "role"], how="inner", maintain_order="left")
    return now, forget.drop_nulls("forgotten").filter(pl.col("step") == 0)
