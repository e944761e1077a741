"""Every aggregate on values few enough to work by hand, and the table of all of them."""

import numpy as np
import polars as pl
import pytest

from unequal.evaluation.aggregates import AGGREGATES
from unequal.evaluation.aggregates.table import AGGREGATE_SCHEMA, aggregate_table


def value(name, *arrays):
    return AGGREGATES.get(name).value(*map(np.array, arrays))


def test_rates_are_shares_of_facts():
    assert value("refusal_rate", [1.0, 0.0, 0.0, 0.0]) == 0.25
    assert value("degenerate_rate", [1.0, 0.5, 0.0, 0.5]) == 0.5  # half of the wordings of two facts


def test_the_bound_on_leaking_facts_counts_facts_not_samples():
    assert value("leaking_facts_upper_bound", [0.0] * 10) == pytest.approx(1 - 0.05**0.1)
    assert value("leaking_facts_upper_bound", [0.0, 0.05]) == pytest.approx(0.95**0.5)
    assert value("leaking_facts_upper_bound", [0.5, 0.05]) == 1.0


def test_dprime_is_zero_without_discrimination():
    assert value("true_false_dprime", [1.0, 1.0, 0.0], [0.0, 1.0, 1.0]) == 0.0
    # H = 2.5/3 and F = 0.5/3: twice the quantile of 5/6
    assert value("true_false_dprime", [1.0, 1.0], [0.0, 0.0]) == pytest.approx(2 * 0.967421566101701)
    assert value("true_false_dprime", [0.0, 0.0], [1.0, 1.0]) == pytest.approx(-2 * 0.967421566101701)


def test_truth_ratios_have_three_aggregators():
    ratios = [0.5, 1.0, 2.0, 4.0, 0.0]
    assert value("truth_ratio_closer_to_1", ratios) == pytest.approx((0.5 + 1 + 0.5 + 0.25 + 0) / 5)
    assert value("truth_ratio_true_better", ratios) == pytest.approx((0.5 + 0 + 0 + 0 + 1) / 5)
    # three values all below three others: 2 of the C(6, 3) = 20 orders are as far apart
    assert value("forget_quality", [0.1, 0.2, 0.3], [0.7, 0.8, 0.9]) == pytest.approx(2 / 20)
    assert value("forget_quality", [0.1, 0.2, 0.3], [0.1, 0.2, 0.3]) == pytest.approx(1.0)


def test_auc_is_the_share_of_pairs_in_order_and_half_of_the_ties():
    # higher means known: (0, −1) and (−1, −1) of the four pairs are 1 and ½, (0, −3), (−1, −3) are 1
    assert value("min_k_40_auc", [0.0, -1.0], [-1.0, -3.0]) == pytest.approx(3.5 / 4)
    assert value("min_k_plus_plus_40_auc", [0.0, -1.0], [-1.0, -3.0]) == pytest.approx(3.5 / 4)
    for name in ("loss_auc", "zlib_auc", "reference_loss_auc", "gradient_norm_auc"):  # lower means known
        assert value(name, [0.0, 1.0], [1.0, 3.0]) == pytest.approx(3.5 / 4)
        assert value(name, [1.0], [1.0, 1.0, 1.0]) == 0.5


def rows(role, probe, metric, *values):
    return pl.DataFrame(
        {"role": role, "probe": probe, "metric": metric, "value": values},
        schema={"role": pl.String, "probe": pl.String, "metric": pl.String, "value": pl.Float64},
    )


def test_the_table_has_a_row_for_each_role_and_probe_that_has_the_metrics():
    scores = pl.concat(
        [
            rows("forget", "question", "loss", 0.0, 1.0, None),
            rows("never_seen", "question", "loss", 1.0, 3.0),
            rows("forget", "cloze", "loss", 2.0),
            rows("forget", "question", "refusal", 1.0, 0.0, 0.0),
            rows(None, "question", "refusal", 1.0),
            rows("never_seen", "question", "refusal", 0.0),
            rows("forget", "true_false", "true_false_hit", 1.0),  # without false alarms no d′
        ]
    )
    table = aggregate_table(scores)
    assert table.schema == pl.Schema(AGGREGATE_SCHEMA)
    missing = "there are no never-seen facts to compare with"
    assert set(table.rows()) == {
        ("forget", "question", "loss_auc", 3.5 / 4, 2, 2, None),
        ("forget", "cloze", "loss_auc", None, 1, 0, missing),
        ("forget", "question", "refusal_rate", 1 / 3, 3, None, None),
        ("never_seen", "question", "refusal_rate", 0.0, 1, None, None),
        (None, "question", "refusal_rate", 1.0, 1, None, None),
    }
    assert aggregate_table(scores.clear()).schema == pl.Schema(AGGREGATE_SCHEMA)
