"""Evidence that a model still holds a fact: values too rare among never-seen facts to be luck."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from unequal.evaluation.known_by import READINGS, KnownBy
from unequal.facts.schema import Fact

MAX_GUESS_SHARE = 0.1
"""Of the facts that a kind of evidence finds, at most this estimated share may be found by luck."""
MAX_CHANCE = 0.1
"""A value that more than this share of never-seen facts reach is no evidence about a single fact."""
MAX_WORKED_OUT = 0.25
"""The same where chance is worked out: a right choice among four is evidence, one among three is none."""
MIN_NEVER_SEEN = 10
"""Fewer never-seen facts than this cannot say what luck looks like; then chance is worked out instead."""
MIN_OF_RELATION = 20
"""Facts are compared with never-seen ones of their own relation where there are as many of these."""
TOP_RANKS = 10
"""A first token is evidence only where fewer tokens than this are more probable."""


@dataclass(frozen=True)
class Measure:
    """One number that may be evidence: its column in the rows, and what it is called in a verdict."""

    metric: str  # in the score rows; attacks' metrics carry their name as a prefix
    evidence: str
    higher_is_known: bool = True
    is_right_or_wrong: bool = False  # 0 or 1 for a fact, so that chance can be worked out


OWN_MEASURES = (
    Measure("choice_prob", "choices"),
    Measure("choice_accuracy", "choices", is_right_or_wrong=True),
    Measure("answer_prob", "answer probability"),
    Measure("first_token_rank", "first token", higher_is_known=False),
)
"""What the unattacked model is asked for, beside the text that it generates."""
ATTACK_METRICS = {
    "answer_said": (True, True),
    "exact_match": (True, True),
    "contains_answer": (True, True),
    "choice_accuracy": (True, True),
    "accuracy": (True, True),
    "leak_at_k": (True, False),
    "choice_prob": (True, False),
    "answer_prob": (True, False),
    "first_token_prob": (True, False),
    "first_token_rank": (False, False),
}
"""An attack's metrics that are evidence: whether higher is known, and whether it is right or wrong."""


def attack_measures(name: str, metrics: Sequence[str], known_by: KnownBy | None = None) -> list[Measure]:
    """Return what an attack measures that is evidence, the clearest first.

    Of several readings of one text only that which says what is known is evidence, see `text_reading`.
    """
    other_readings = READINGS.keys() - {text_reading(metrics, known_by)}
    return [
        Measure(f"{name}_{metric}", name, *ATTACK_METRICS[metric])
        for metric in ATTACK_METRICS
        if metric in metrics and metric not in other_readings
    ]


def text_reading(metrics: Sequence[str], known_by: KnownBy | None = None) -> str | None:
    """Return the reading of texts that counts: the wanted one, else the first that an attack has."""
    return next((one for one in (known_by, *READINGS) if one in metrics), None)


@dataclass(frozen=True)
class Control:
    """How often luck looks like knowledge: by never-seen facts, or worked out from the answers' number."""

    never_seen: frozenset[str]
    chance: Mapping[str, float]  # by fact: that a guess of the right type is right

    @property
    def measured(self) -> bool:
        """Return whether there are enough never-seen facts."""
        return len(self.never_seen) >= MIN_NEVER_SEEN


def control_of(facts: Sequence[Fact]) -> Control:
    """Return the control that a table of facts allows."""
    answers: dict[str, list[str]] = {}
    for fact in facts:
        answers.setdefault(fact.relation, []).append(fact.answer)
    commonest = {
        relation: max(map(found.count, set(found))) / len(found) for relation, found in answers.items()
    }
    chance = {
        fact.fact_id: 1 / (1 + len(fact.distractors)) if fact.distractors else commonest[fact.relation]
        for fact in facts
    }
    chance |= {fact.fact_id: 0.0 for fact in facts if fact.is_passage}  # no guess is right word for word
    return Control(frozenset(fact.fact_id for fact in facts if fact.role == "never_seen"), chance)


def weigh(
    rows: pl.DataFrame, measures: Sequence[Measure], control: Control, targets: AbstractSet[str]
) -> pl.DataFrame:
    """Return one row a fact and measure: ``fact_id, relation, evidence, metric, value, p, threshold, found``.

    ``p`` is the share of never-seen facts that do at least as well; ``found`` says that it is at or below the
    measure's threshold, and is null where there is no value. The threshold is the highest p at which of the
    targets found at most `MAX_GUESS_SHARE` are there by luck. That share is the odds of being found for a
    never-seen fact over the odds for a target: the false discovery rate with an empirical null (Efron and
    Tibshirani, 2002; decoys: Elias and Gygi, 2007), targets taken as a mixture of forgotten and kept ones.
    """
    parts = [_weigh(rows, one, control, targets) for one in measures]
    return pl.concat([_empty(), *(part for part in parts if part is not None)])


def _weigh(
    rows: pl.DataFrame, measure: Measure, control: Control, targets: AbstractSet[str]
) -> pl.DataFrame | None:
    if not control.measured and not measure.is_right_or_wrong:
        return None  # luck is not known
    own = rows.filter(pl.col("metric") == measure.metric)
    if own["value"].count() == 0:
        return None
    sign = 1.0 if measure.higher_is_known else -1.0
    facts, relations = own["fact_id"].to_list(), own["relation"].to_list()
    values = sign * own["value"].fill_null(float("nan")).to_numpy()
    never_seen = np.array([fact_id in control.never_seen for fact_id in facts])
    known = np.array([fact_id in targets for fact_id in facts])
    if control.measured:
        p = _share_of_never_seen(values, np.array(relations), never_seen)
    else:
        chance = np.array([control.chance[fact_id] for fact_id in facts])
        p = np.where(values >= 1.0, chance, np.where(np.isnan(values), np.nan, 1.0))
    if measure.metric.endswith("first_token_rank"):
        p = np.where(values > -TOP_RANKS, p, np.where(np.isnan(values), np.nan, 1.0))
    threshold = _threshold(p[known], p[never_seen] if control.measured else None)
    return pl.DataFrame(
        {
            "fact_id": facts,
            "relation": relations,
            "evidence": measure.evidence,
            "metric": measure.metric,
            "value": own["value"],
            "reason": own["reason"],
            "p": pl.Series(p, nan_to_null=True),
            "threshold": pl.Series([threshold] * len(p), dtype=pl.Float64),
        }
    ).with_columns(
        pl.when(pl.col("p").is_not_null())
        .then((pl.col("p") <= pl.col("threshold")).fill_null(False))
        .alias("found")
    )


def _share_of_never_seen(
    values: NDArray[np.float64], relations: NDArray[np.str_], never_seen: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return for each value the share of other never-seen facts that reach it, NaN for a missing value."""
    usable = never_seen & ~np.isnan(values)
    shares = np.full(len(values), np.nan)
    for relation in np.unique(relations):
        here = relations == relation
        others = values[usable & here] if (usable & here).sum() > MIN_OF_RELATION else values[usable]
        at_least = len(others) - np.searchsorted(np.sort(others), values[here], side="left")
        itself = usable[here].astype(int)
        shares[here] = (at_least - itself) / np.maximum(len(others) - itself, 1)
    shares[np.isnan(values)] = np.nan
    return shares


def _threshold(targets: NDArray[np.float64], never_seen: NDArray[np.float64] | None) -> float | None:
    """Return the highest p at which few enough of the targets found are there by luck; None if there is none.

    At least one never-seen fact counts as found and one target more as not found, so that few facts find
    little. Without never-seen facts p is a chance itself.
    """
    targets = targets[~np.isnan(targets)]
    largest = MAX_WORKED_OUT if never_seen is None else MAX_CHANCE
    for p in np.unique(targets[targets <= largest])[::-1]:
        share = (targets <= p).sum() / (len(targets) + 1)
        if never_seen is None:
            luck = float(targets[targets <= p].mean())
        else:
            others = never_seen[~np.isnan(never_seen)]
            luck = max((others <= p).sum(), 1) / len(others)
        if luck < 1 and luck * (1 - share) <= MAX_GUESS_SHARE * share * (1 - luck):
            return float(p)
    return None


def _empty() -> pl.DataFrame:
    texts = dict.fromkeys(("fact_id", "relation", "evidence", "metric"), pl.String)
    schema = {**texts, "value": pl.Float64, "reason": pl.String, "p": pl.Float64, "threshold": pl.Float64}
    return pl.DataFrame(schema={**schema, "found": pl.Boolean})
