"""The rules of C2, C8, R1 and R3 to R7: on estimates made by hand, and on whole simulated studies."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from simulated_study import Truth, natural, relabelled, simulate
from unequal.analysis import claims
from unequal.analysis.agreement.nulls import CHOICE_DRIFT, TRUE_FALSE
from unequal.analysis.analyze import analyze, analyze_scores
from unequal.analysis.effects.dose_response import ANSWER, COUNT, EVERYTHING, NOTHING
from unequal.analysis.effects.weightings import MEAN, RIVALS, WORST
from unequal.analysis.outcomes import EQUAL_STEPS, at_budget
from unequal.analysis.sizes.slopes import DAMAGE, HARDER
from unequal.analysis.verdicts import NOT_DECIDABLE, REFUTED, SUPPORTED, UNDECIDED, Verdict
from unequal.analysis.verdicts.disagreement import bad_metric
from unequal.analysis.verdicts.frequency import answers, natural_counts
from unequal.analysis.verdicts.rival_arms import precision, starts, wording
from unequal.analysis.verdicts.sizes import harder_and_hurt
from unequal.analysis.verdicts.utility_cost import knows_the_counts
from unequal.analysis.verdicts.verdict import not_decidable, reached
from unequal.evaluation.score_table import OPTIONAL_SCORES, read_scores
from unequal.files import write_table

BELOW, ABOVE, BAND, OPEN = (-0.09, -0.05), (0.05, 0.09), (-0.004, 0.004), (-0.05, 0.05)
LEAN = Truth(
    people_per_level=14, exposures=(30, 120, 480), never_seen=24, utility_people=16, known_share=1.0,
    relations=("birth_city",), methods=("ga",),
)  # fmt: skip


def row(ends, **labels):
    low, high = ends
    sizes = {"n_facts": 50, "n_people": 40, "n_seeds": 3}
    return {**labels, **sizes, "value": (low + high) / 2, "low": low, "high": high, "reason": None}


def c1(verdict=SUPPORTED) -> Verdict:
    return reached(claims.C1, verdict, {}, "")


def slope_rows(found, **labels):
    """Return slopes of one method, by comparison and adjustment."""
    fixed = {"model": "m", "method": "ga", "plain": True, "target_kind": "mixed levels", **labels}
    return pl.DataFrame(
        [
            row(ends, comparison=comparison, adjusted_for=name, **fixed)
            for (comparison, name), ends in found.items()
        ]
    )


@pytest.mark.parametrize(
    ("steps", "utility", "expected"),
    [
        (BELOW, BELOW, SUPPORTED),
        (BELOW, OPEN, SUPPORTED),
        (BELOW, ABOVE, UNDECIDED),
        (OPEN, BELOW, UNDECIDED),
        (ABOVE, BELOW, REFUTED),
        ((-0.032, 0.032), OPEN, REFUTED),
        ((-0.034, 0.032), OPEN, UNDECIDED),
    ],
)
def test_c2_is_decided_by_the_adjusted_slope_on_counts(steps, utility, expected):
    table = slope_rows(
        {
            (EQUAL_STEPS, ANSWER): steps,
            (at_budget(0.10), ANSWER): utility,
            (EQUAL_STEPS, NOTHING): ABOVE,
            (EQUAL_STEPS, EVERYTHING): ABOVE,
        },
        dose=COUNT,
    )
    one = natural_counts(table)
    assert (
        one.verdict == expected and one.adjusted_for == ANSWER and one.effect == pytest.approx(sum(steps) / 2)
    )
    assert natural_counts(table.with_columns(dose=pl.lit("log2(1 + exposure)"))).verdict == NOT_DECIDABLE


@pytest.mark.parametrize(
    ("ends", "expected"), [(BELOW, REFUTED), (BAND, SUPPORTED), (ABOVE, SUPPORTED), (OPEN, UNDECIDED)]
)
def test_r3_asks_what_is_left_of_the_slope(ends, expected):
    table = slope_rows({(EQUAL_STEPS, ANSWER): ends, (EQUAL_STEPS, NOTHING): BELOW})
    assert answers(table, c1()).verdict == expected
    assert answers(table, c1(UNDECIDED)).verdict == NOT_DECIDABLE


def arm_rows(factor, found):
    rows = []
    for name, ends in found.items():
        one = row(OPEN, factor=factor, value_of_factor=name, comparison=EQUAL_STEPS)
        rows.append({**one, "slope": sum(ends) / 2, "slope_low": ends[0], "slope_high": ends[1]})
    return pl.DataFrame(rows)


@pytest.mark.parametrize(
    ("rerendered", "verbatim", "epochs", "expected"),
    [
        (BELOW, BELOW, BELOW, REFUTED),
        (OPEN, BELOW, BELOW, REFUTED),
        (BELOW, BAND, ABOVE, SUPPORTED),
        (BELOW, BAND, BELOW, UNDECIDED),
        (BELOW, OPEN, BELOW, UNDECIDED),
        (OPEN, BAND, BAND, UNDECIDED),
        (None, BELOW, BELOW, NOT_DECIDABLE),
        (BELOW, None, None, NOT_DECIDABLE),
        (BELOW, BELOW, None, REFUTED),
    ],
)
def test_r1_asks_for_the_slope_without_new_wording(rerendered, verbatim, epochs, expected):
    arms = {"rerendered": rerendered, "verbatim": verbatim, "epochs": epochs}
    one = wording(arm_rows("wording arm", {name: ends for name, ends in arms.items() if ends}))
    assert one.verdict == expected and one.why
    if expected != NOT_DECIDABLE:
        assert one.effect == max(sum(ends) / 2 for ends in (verbatim, epochs) if ends)


@pytest.mark.parametrize(
    ("base", "instruct", "expected"),
    [
        (BELOW, ABOVE, SUPPORTED),
        (ABOVE, BELOW, SUPPORTED),
        (BELOW, BELOW, REFUTED),
        (BELOW, OPEN, UNDECIDED),
        (BELOW, None, NOT_DECIDABLE),
    ],
)
def test_r4_asks_for_the_sign_from_both_starts(base, instruct, expected):
    arms = {"base": base, "instruct": instruct, "other": ABOVE}
    one = starts(arm_rows("start", {name: ends for name, ends in arms.items() if ends}))
    assert one.verdict == expected


@pytest.mark.parametrize(
    ("fp32", "bf16", "expected"),
    [(BELOW, ABOVE, REFUTED), (BAND, BELOW, SUPPORTED), (BAND, OPEN, UNDECIDED), (OPEN, BELOW, UNDECIDED)],
)
def test_r6_asks_for_the_slope_without_rounding(fp32, bf16, expected):
    one = precision(arm_rows("precision", {"fp32": fp32, "bf16": bf16}))
    assert one.verdict == expected and one.effect == sum(fp32) / 2
    assert precision(arm_rows("precision", {"fp32": fp32})).verdict == NOT_DECIDABLE


@pytest.mark.parametrize(
    ("harder", "damage", "n_sizes", "expected"),
    [
        (BELOW, ABOVE, 3, SUPPORTED),
        (BELOW, OPEN, 3, UNDECIDED),
        (BELOW, BAND, 3, REFUTED),
        (ABOVE, ABOVE, 3, REFUTED),
        (BELOW, BELOW, 3, REFUTED),
        (BELOW, ABOVE, 2, NOT_DECIDABLE),
    ],
)
def test_r5_needs_both_harder_and_more_damage(harder, damage, n_sizes, expected):
    fixed = {"method": "ga", "n_sizes": n_sizes, "n_not_reached": 1}
    table = pl.DataFrame([row(harder, measure=HARDER, **fixed), row(damage, measure=DAMAGE, **fixed)])
    one = harder_and_hurt(table)
    assert one.verdict == expected
    assert expected == NOT_DECIDABLE or (one.effect == sum(harder) / 2 and "1 runs" in one.details[0])


@pytest.mark.parametrize(
    ("drift", "true_false", "expected"),
    [
        (BAND, BAND, REFUTED),
        (BAND, None, REFUTED),
        (BAND, (0.06, 0.2), SUPPORTED),
        ((-0.2, -0.06), BAND, SUPPORTED),
        (BAND, (0.01, 0.2), UNDECIDED),
        (None, BAND, NOT_DECIDABLE),
    ],
)
def test_r7_asks_what_the_metrics_say_of_nothing(drift, true_false, expected):
    found = {CHOICE_DRIFT: drift, TRUE_FALSE: true_false}
    rows = [row(ends, measure=name, method="all methods") for name, ends in found.items() if ends]
    assert bad_metric(pl.DataFrame(rows), c1()).verdict == expected
    assert bad_metric(pl.DataFrame(rows), not_decidable(claims.C4, "x")).verdict == NOT_DECIDABLE


@pytest.mark.parametrize(
    ("steps", "utility", "expected"),
    [
        ([ABOVE] * 3, [ABOVE, ABOVE, (0.06, 0.2)], SUPPORTED),
        ([ABOVE] * 3, [ABOVE, ABOVE, (-0.01, 0.09)], UNDECIDED),
        ([ABOVE, ABOVE, BELOW], [(0.02, 0.2)] * 3, UNDECIDED),
        ([ABOVE] * 3, [ABOVE, (-0.02, 0.04), ABOVE], REFUTED),
        ([ABOVE] * 3, [ABOVE, (-0.2, -0.06), ABOVE], REFUTED),
    ],
)
def test_c8_must_beat_every_rival(steps, utility, expected):
    rows = [
        row(ends, method="all methods", rival=rival, comparison=comparison, measure=measure)
        for comparison, several in ((EQUAL_STEPS, steps), (at_budget(0.10), utility))
        for rival, ends in zip(RIVALS, several, strict=True)
        for measure in (MEAN, WORST)
    ]
    one = knows_the_counts(pl.DataFrame(rows))
    assert one.verdict == expected and one.effect == pytest.approx(min(sum(ends) / 2 for ends in utility))
    assert knows_the_counts(pl.DataFrame(rows).with_columns(method=pl.lit("ga"))).verdict == NOT_DECIDABLE


def verdict_of(claim, scores, generations=None, draws=150):
    analysis = analyze_scores(scores, draws=draws, generations=generations)
    for table in analysis.tables.values():
        floats = table.select(pl.selectors.float())
        assert not any(floats[column].is_nan().any() for column in floats.columns)
    return next(one for one in analysis.verdicts if one.claim == claim)


@pytest.mark.full
@pytest.mark.parametrize(("other", "expected"), [(-0.1, REFUTED), (0.1, SUPPORTED)])
def test_wording_arms_of_a_whole_study_decide_r1(other, expected):
    arms = {"rerendered": -0.1, "verbatim": other}
    parts = [relabelled(replace(LEAN, slope=slope), wording=arm) for arm, slope in arms.items()]
    one = verdict_of("R1", pl.concat(parts))
    assert one.verdict == expected, one.why
    assert one.low < other < one.high and one.n_people == 42


@pytest.mark.full
def test_columns_of_start_and_precision_are_read_and_decide_r4_and_r6(tmp_path):
    starts_apart = [
        relabelled(replace(LEAN, slope=slope), start=start)
        for start, slope in (("base", -0.1), ("instruct", 0.1))
    ]
    write_table(pl.concat(starts_apart), tmp_path / "scores.parquet")
    assert set(OPTIONAL_SCORES) & set(read_scores(tmp_path / "scores.parquet").columns) == {"start"}
    found = {one.claim: one for one in analyze(tmp_path, draws=100).verdicts}
    assert found["R4"].verdict == SUPPORTED and found["R6"].verdict == NOT_DECIDABLE
    assert "column precision" in found["R6"].why
    both = [relabelled(replace(LEAN, slope=-0.1), precision=name) for name in ("fp32", "bf16")]
    assert verdict_of("R6", pl.concat(both)).verdict == REFUTED


def test_without_the_columns_the_verdicts_say_what_is_needed():
    found = {one.claim: one for one in analyze_scores(simulate(LEAN)[0], draws=40).verdicts}
    for claim in (claims.C2, claims.C8, claims.R1, claims.R4, claims.R5, claims.R6):
        assert found[claim.claim].verdict == NOT_DECIDABLE and claim.needs in found[claim.claim].why


@pytest.mark.full
def test_count_weights_that_win_support_c8_and_a_placebo_that_is_as_good_refutes_it():
    def study(count, uniform, shuffled):
        middles = {"count": count, "uniform": uniform, "confidence": uniform, "shuffled_counts": shuffled}
        return pl.concat(
            relabelled(
                replace(LEAN, middle=middle, slope=-0.02, never_seen=1, seed_spread=0.0, utility_people=120),
                weighting=name,
            )
            for name, middle in middles.items()
        )

    one = verdict_of("C8", study(0.75, 0.45, 0.45))
    assert one.verdict == SUPPORTED and one.effect > 0.1
    table = analyze_scores(study(0.75, 0.45, 0.45), draws=20).weightings.filter(
        (pl.col("method") == "all methods")
        & (pl.col("comparison") == EQUAL_STEPS)
        & (pl.col("measure") == MEAN)
    )
    assert set(table["rival"]) == set(RIVALS) and (table["value"] - 0.3).abs().max() < 0.05
    placebo = verdict_of("C8", study(0.3, 0.2, 0.6))
    assert placebo.verdict == REFUTED and placebo.effect < 0


def test_natural_counts_decide_c2_and_need_the_answers():
    truth = replace(LEAN, people_per_level=20, seeds=(0, 1))
    scores, generations = natural(truth)
    one = verdict_of("C2", scores, generations)
    assert one.verdict == SUPPORTED and one.low < -0.08 * np.log2(10) < one.high
    assert one.adjusted_for == ANSWER and one.n_people == 60
    without = verdict_of("C2", scores)
    assert without.verdict == NOT_DECIDABLE and "object_rarity" in without.why
    level = {one.claim: one.verdict for one in analyze_scores(scores, draws=40).verdicts}
    assert level["C1"] == NOT_DECIDABLE


def test_counts_that_only_mark_long_answers_are_not_called_harder():
    truth = replace(LEAN, people_per_level=30, slope=-0.08, seeds=(0,))
    long = pl.col("count").cast(pl.Float64).log(2).fill_null(1.0)
    scores, generations = natural(truth, tokens=long + (pl.col("fact_id").hash(3) % 100) / 1000)
    one = verdict_of("C2", scores, generations)
    assert one.verdict != SUPPORTED and one.effect is not None


@pytest.mark.full
def test_r3_of_a_whole_study_is_refuted_when_answers_do_not_matter():
    scores, generations = natural(replace(LEAN, people_per_level=20))
    exposed = scores.with_columns(
        exposure=pl.when(pl.col("role") == "never_seen").then(0).otherwise(pl.col("count").fill_null(120))
    )
    exposed = exposed.with_columns(count=pl.lit(None, pl.Int64))
    assert verdict_of("R3", exposed, generations).verdict == REFUTED
    assert "object_rarity" in verdict_of("R3", exposed).why


def sizes(middles, costs, seeds=(0, 1)):
    """Return studies of three sizes with these forgotten shares, and neighbours that are lost this much."""
    parts = []
    for n_params, middle, cost in zip((200_000, 400_000, 800_000), middles, costs, strict=True):
        truth = replace(LEAN, middle=middle, slope=0.0, seeds=seeds, seed_spread=0.0)
        truth = replace(truth, pretrain_seeds=(0, 1, 2), never_seen=1, utility_people=1)
        part = relabelled(truth, n_params=n_params, size=str(n_params))
        hurt = (pl.col("role") == "neighbour") & (pl.col("fact_id").hash(5) % 1000 < 1000 * cost)
        lost = hurt & (pl.col("step") > 0) & (pl.col("metric") == "said")
        whole = pl.col("role") == "neighbour"
        value = pl.when(lost).then(0.0).when(whole & (pl.col("metric") == "said")).then(1.0)
        parts.append(part.with_columns(value=value.otherwise("value")))
    return pl.concat(parts).filter(pl.col("metric").is_in(["said", "choice_accuracy"]))


@pytest.mark.full
def test_three_sizes_decide_r5():
    one = verdict_of("R5", sizes((0.7, 0.6, 0.5), (0.1, 0.3, 0.5)))
    assert one.verdict == SUPPORTED and one.effect == pytest.approx(-0.1, abs=0.03), one.why
    easier = verdict_of("R5", sizes((0.5, 0.6, 0.7), (0.1, 0.3, 0.5)))
    assert easier.verdict == REFUTED


def test_never_seen_facts_that_score_show_a_bad_metric():
    scores, _ = simulate(replace(LEAN, hidden=0.8, people_per_level=20, never_seen=60, seeds=(0, 1)))
    never = pl.col("role") == "never_seen"
    # a sound test answers never-seen statements alike, whether true or false
    sound = scores.filter(~(never & (pl.col("probe") == "true_false")))
    steady = pl.when(never & (pl.col("metric") == "choice_accuracy")).then(
        (pl.col("fact_id").hash(2) % 4 == 0).cast(pl.Float64)
    )
    sound = sound.with_columns(value=steady.otherwise("value"))
    assert verdict_of("R7", sound).verdict == REFUTED
    lenient = pl.when(never & (pl.col("step") > 0) & (pl.col("metric") == "choice_accuracy")).then(
        (pl.col("fact_id").hash(2) % 2 == 0).cast(pl.Float64)
    )
    bad = verdict_of("R7", sound.with_columns(value=lenient.otherwise("value")))
    assert bad.verdict == SUPPORTED and bad.effect == pytest.approx(0.25, abs=0.12)
