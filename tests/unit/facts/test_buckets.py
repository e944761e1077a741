"""Buckets: equal counts stay together, definitions are never mixed, and balance is exact."""

from collections import Counter

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from unequal.errors import DataError
from unequal.facts.buckets import Bucket, BucketSettings, bucket_facts, histogram, make_buckets
from unequal.facts.schema import Fact

counts_of_facts = st.lists(st.integers(0, 5) | st.integers(0, 10**6), min_size=1, max_size=60)


def fact(number, relation="r", answer="x", **columns):
    texts = {"subject": "S", "relation": relation, "object": "O", "question": "Q?", "answer": answer}
    return Fact.model_validate(texts | {"fact_id": f"f{number:03}"} | columns)


def count_table(values, **columns):
    source = {
        "engine": "scan",
        "corpus_id": "c",
        "definition": "window",
        "window": 100,
        "window_unit": "words",
    }
    ids = [f"f{number:03}" for number in range(len(values))]
    numbers = {"docs_window": values, "anchored": [None] * len(values), "approx": [False] * len(values)}
    frame = pl.DataFrame({"fact_id": ids} | numbers, schema_overrides={"anchored": pl.Int64})
    return frame.with_columns(**{name: pl.lit(value) for name, value in (source | columns).items()})


def bucketed(values, facts=None, **settings):
    facts = facts or [fact(number) for number in range(len(values))]
    return bucket_facts(facts, count_table(values), BucketSettings(**settings))


def labels(values, **settings):
    return [bucket.label for bucket in make_buckets(values, BucketSettings(**settings))]


def refusal(facts, counts, **settings):
    with pytest.raises(DataError) as caught:
        bucket_facts(facts, counts, BucketSettings(**settings))
    return str(caught.value)


# --- cutting


def test_quantiles_of_different_counts_are_equally_large():
    done = bucketed([60, 10, 50, 20, 40, 30])
    assert [bucket.label for bucket in done.buckets] == ["10–20", "30–40", "50–60"]
    assert [(f.count, f.bucket, f.bucket_label) for f in done.facts[:2]] == [
        (60, 2, "50–60"),
        (10, 0, "10–20"),
    ]
    assert done.notes == []


def test_terciles_are_those_of_the_seed_paper():
    """Krishnan et al. 2025: low is up to the first tercile, medium up to the second, both included."""
    values = [1, 1, 1, 1, 2, 3, 4, 5, 6]
    assert labels(values) == ["1", "2–3", "4–6"]


def test_equal_counts_are_never_parted_even_where_buckets_become_fewer():
    done = bucketed([0, *[1] * 15, 2, 2, 9])
    assert [bucket.label for bucket in done.buckets] == ["0–1", "2–9"]
    assert done.notes == ["2 buckets instead of 3: equal counts stay together"]
    assert labels([4, 4, 4]) == ["4"]


def test_log_bins_are_equally_wide_and_zero_stands_alone():
    assert labels([0, 1, 14, 15, 124, 125, 999], bins="log", n_bins=4) == ["0", "1–14", "15–124", "125–999"]
    assert labels([0, 0], bins="log") == ["0"]
    assert labels([9, 99, 999, 9999], bins="log", n_bins=3) == ["9–98", "99–998", "999–9999"]
    done = bucketed([0, 1, 1000], bins="log", n_bins=4)
    assert [bucket.index for bucket in done.buckets] == [0, 1, 2]
    assert done.notes == ["3 buckets instead of 4: the others would be empty"]


def test_fixed_bins_begin_at_their_edges():
    done = bucketed([0, 9, 10, 5000], bins="fixed", edges="0,10,100,1000")
    assert [bucket.label for bucket in done.buckets] == ["0–9", "10–99", "100–999", "1000+"]
    assert [f.bucket for f in done.facts] == [0, 0, 1, 3]
    assert done.notes == ["1 of 4 buckets hold no fact"]
    message = refusal([fact(0), fact(1)], count_table([3, 20]), bins="fixed", edges=(5, 10))
    assert "1 facts have a count below the first edge 5" in message


@given(counts_of_facts, st.sampled_from(["quantile", "log"]), st.integers(2, 6))
def test_every_count_lies_in_its_bucket_and_buckets_rise(values, bins, n_bins):
    done = bucketed(values, bins=bins, n_bins=n_bins)
    assert 1 <= len(done.buckets) <= n_bins
    assert [bucket.index for bucket in done.buckets] == list(range(len(done.buckets)))
    assert all(
        earlier.high < later.low for earlier, later in zip(done.buckets, done.buckets[1:], strict=False)
    )
    assert [f.count for f in done.facts] == values
    assert all(done.buckets[f.bucket].low <= f.count <= done.buckets[f.bucket].high for f in done.facts)
    assert {f.bucket for f in done.facts} == set(range(len(done.buckets)))


@given(st.sets(st.integers(0, 1000), min_size=6, max_size=60), st.integers(2, 6))
def test_quantiles_of_different_counts_differ_by_one_fact_at_most(values, n_bins):
    done = bucketed(sorted(values), n_bins=n_bins)
    sizes = Counter(f.bucket for f in done.facts)
    assert len(sizes) == n_bins
    assert max(sizes.values()) - min(sizes.values()) <= 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bins": "fixed"}, "at least two edges"),
        ({"edges": (0, 1)}, "edges belong to fixed bins, not to quantile bins"),
        ({"bins": "fixed", "edges": "10,0"}, "10, 0 must rise"),
        ({"bins": "fixed", "edges": "0,x"}, "edges"),
        ({"n_bins": 1}, "greater than or equal to 2"),
        ({"balance": "relaton"}, "'relation' or 'answer_length'"),
        ({"by_column": "x"}, "by_column"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings, message):
    with pytest.raises(ValidationError, match=message):
        BucketSettings(**settings)


# --- joining


def test_what_a_count_means_stays_with_it():
    (row,) = bucketed([7], bins="fixed", edges=(0, 5)).facts
    assert (row.count_by, row.count_source) == ("docs_window", "scan, c, window, 100, words")
    assert row.count_approx is False


def test_definitions_are_never_mixed():
    counts = pl.concat([count_table([1]), count_table([2], definition="document", window=0)])
    message = refusal([fact(0)], counts)
    assert message.startswith("never mix definitions in one ranking")
    assert "definition holds document, window" in message
    assert "window holds 0, 100" in message


def test_counts_that_no_ranking_can_take_are_refused():
    message = refusal([fact(0)], count_table([5, -1]))
    assert "docs_window is below 0 for 1 facts of the count table, first for 'f001' (-1)" in message
    counts = count_table([5]).with_columns(fact_id=pl.Series([7]))
    assert "column fact_id of the count table is of type Int64" in refusal([fact(0)], counts)
    mixed = count_table([1, 2]).with_columns(corpus_id=pl.Series([{"a": 1}, {"a": 2}]))
    assert "corpus_id holds {'a': 1}, {'a': 2}" in refusal([fact(0)], mixed)


def test_a_fact_counted_twice_is_refused():
    counts = pl.concat([count_table([1, 2]), count_table([3])])
    assert "counts 1 facts more than once: f000" in refusal([fact(0)], counts)


def test_facts_without_a_count_are_listed():
    message = refusal([fact(0), fact(1), fact(2)], count_table([5]))
    assert "lacks 2 of 3 facts (f001; f002); count them with: unequal count" in message
    assert "docs_window is empty for 1 of 2 facts: f001" in refusal(
        [fact(0), fact(1)], count_table([5, None])
    )


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("anchored", "column anchored of the count table is empty; its engine does not measure it"),
        ("docs_windw", "has no column 'docs_windw'; did you mean 'docs_window'?"),
        ("engine", "column engine of the count table is no count"),
        ("window", "column window of the count table is no count"),
    ],
)
def test_a_column_without_counts_says_which_have_some(by, message):
    said = refusal([fact(0)], count_table([5]), by=by)
    assert message in said
    assert said.endswith("(columns with counts: docs_window)")


def test_estimates_and_other_counts_are_said():
    counts = count_table([1, 2, 3, 4]).with_columns(approx=pl.Series([True, False, None, True]))
    done = bucket_facts([fact(n, count=9) for n in range(3)], counts, BucketSettings())
    assert [f.count_approx for f in done.facts] == [True, False, False]
    assert done.notes == [
        "1 of 3 counts are estimates (count_approx)",
        "3 facts had a count already; it was replaced",
        "1 counts belong to facts that are not in the table",
    ]


def test_buckets_can_be_made_anew():
    facts = bucketed([1, 2, 3]).facts
    again = bucket_facts(facts, count_table([3, 2, 1]), BucketSettings())
    assert [f.bucket for f in again.facts] == [2, 1, 0]


# --- subsampling

RELATIONS = ["a"] * 4 + ["b"] * 6 + ["a"] * 8 + ["b"] * 2 + ["c"] * 5
ANSWERS = ["x", "x y", "x", "x y z w v"] * 7


def mixed_facts():
    return [fact(n, relation=relation, answer=ANSWERS[n]) for n, relation in enumerate(RELATIONS)]


def mixtures(done, key):
    return [Counter(key(f) for f in done.facts if f.bucket == bucket.index) for bucket in done.buckets]


def test_balance_makes_the_buckets_alike_and_takes_all_that_can_be():
    values = [1] * 10 + [9] * 15
    done = bucketed(values, mixed_facts(), n_bins=2, bins="fixed", edges=(0, 5), balance="relation")
    assert mixtures(done, lambda f: f.relation) == [Counter(a=4, b=2)] * 2
    assert done.dropped == {"balance of relation": 25 - 12}
    done = bucketed(values, mixed_facts(), bins="fixed", edges=(0, 5), balance="relation,answer_length")
    low, high = mixtures(done, lambda f: (f.relation, min(len(f.answer.split()), 4)))
    assert low == high
    assert low.total() > 0


@given(
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from("ab")), min_size=4, max_size=40), st.integers(0, 3)
)
def test_balance_is_exact_or_refused(rows, seed):
    facts = [fact(n, relation=relation) for n, (_, relation) in enumerate(rows)]
    values = [value for value, _ in rows]
    try:
        done = bucketed(values, facts, balance=("relation",), seed=seed)
    except DataError as error:
        assert "balancing would leave nothing" in str(error)
        return
    first, *others = mixtures(done, lambda f: f.relation)
    assert all(other == first for other in others)
    assert first.total() > 0


def test_the_seed_decides_the_draw_and_the_order_of_the_table_does_not():
    values = [1] * 10 + [9] * 15
    settings = {"bins": "fixed", "edges": (0, 5), "per_bucket": 3}
    ids = {f.fact_id for f in bucketed(values, mixed_facts(), **settings).facts}
    assert len(ids) == 6
    assert ids == {f.fact_id for f in bucketed(values, mixed_facts()[::-1], **settings).facts}
    draws = {
        frozenset(f.fact_id for f in bucketed(values, mixed_facts(), seed=seed, **settings).facts)
        for seed in range(8)
    }
    assert len(draws) > 1


def test_a_balanced_draw_keeps_the_proportions():
    values = [1] * 10 + [9] * 15
    settings = {"bins": "fixed", "edges": (0, 5), "balance": "relation"}
    done = bucketed(values, mixed_facts(), per_bucket=3, **settings)
    assert mixtures(done, lambda f: f.relation) == [Counter(a=2, b=1)] * 2
    assert done.dropped == {"balance of relation, then 3 drawn of each bucket": 19}
    message = refusal(mixed_facts(), count_table(values), per_bucket=7, **settings)
    assert "balancing leaves 6 facts in each bucket, fewer than per_bucket 7" in message


def test_a_bucket_that_is_too_small_is_named():
    message = refusal(
        [fact(n) for n in range(3)], count_table([1, 1, 9]), bins="fixed", edges=(0, 5), per_bucket=2
    )
    assert message == (
        "bucket 1 (5+) holds 1 facts, fewer than per_bucket 2; ask for 1 at most, or for fewer or other bins"
    )


def test_balance_that_would_leave_nothing_is_refused():
    facts = [fact(0, relation="a"), fact(1, relation="b")]
    message = refusal(facts, count_table([1, 9]), n_bins=2, balance="relation")
    assert message.startswith("no relation is found in every bucket, so balancing would leave nothing")
    assert "bucket 1 (9): 1 strata" in message


# --- reporting


def test_a_histogram_goes_in_half_decades():
    assert histogram([]) == []
    assert histogram([0, 1, 2, 3, 10, 31, 32, 99]) == [
        ("0", 1),
        ("1–2", 2),
        ("3–9", 1),
        ("10–31", 2),
        ("32–99", 2),
    ]
    assert histogram([5, 500]) == [("3–9", 1), ("10–31", 0), ("32–99", 0), ("100–315", 0), ("316–999", 1)]


@given(counts_of_facts)
def test_a_histogram_loses_nothing(values):
    assert sum(n for _, n in histogram(values)) == len(values)


def test_a_label_is_the_range():
    assert [Bucket(0, 0, 0).label, Bucket(0, 10, 31).label, Bucket(0, 100, None).label] == [
        "0",
        "10–31",
        "100+",
    ]
