"""The split: buckets of count, roles by subject, never-seen facts apart, and nothing lost without a word."""

from collections import Counter, defaultdict
from itertools import pairwise

import polars as pl
import pytest
from pydantic import ValidationError

from unequal.errors import DataError
from unequal.facts.schema import Fact
from unequal.facts.split import SplitSettings, split_facts

N = 200


def fact(number, relation="r", table="t", **columns):
    return Fact(
        fact_id=f"{table}-{relation}-{number}", subject=f"S{number}", relation=relation, object=f"o{number}",
        question="?", answer=f"o{number}", fact_table=table, **columns,
    )  # fmt: skip


FACTS = [fact(number, relation) for number in range(N) for relation in ("r", "s")]


def counts_of(facts, value=lambda fact: int(fact.fact_id.rsplit("-", 1)[1]) // 2, **columns):
    rows = [{"fact_id": f.fact_id, "n": value(f), "subject_count": 0} for f in facts]
    return pl.DataFrame(rows).with_columns(**columns)


def split(facts=FACTS, counts=None, seed=0, **settings):
    settings = SplitSettings.model_validate({"buckets": {"n_bins": 4}, **settings})
    return split_facts(facts, counts_of(facts) if counts is None else counts, settings, "n", seed)


def test_every_bucket_gives_each_role_its_share_of_subjects():
    found = split(retain_share=0.5, utility_share=0.1, withheld_share=0.1)
    buckets = defaultdict(Counter)
    for one in found.facts:
        buckets[one.model_extra["bucket"]][one.role] += 1
    assert sorted(buckets) == [0, 1, 2, 3]
    for roles in buckets.values():
        total = sum(roles.values())
        for role, share in (("retain", 0.5), ("utility", 0.1), ("never_seen", 0.1), ("forget", 0.3)):
            assert abs(roles[role] - share * total) <= 2  # two facts a subject
    whole = Counter(one.role for one in found.facts)
    assert whole == {"retain": 200, "utility": 40, "never_seen": 40, "forget": 120}


def test_a_subject_has_one_role_in_all_tables():
    other = [fact(number, table="u") for number in range(0, N, 3)]
    facts = [*FACTS, *(one.model_copy(update={"subject": one.subject.lower()}) for one in other)]
    roles = defaultdict(set)
    for one in split(facts).facts:
        roles[one.subject.casefold()].add(one.role)
    assert all(len(found) == 1 for found in roles.values())


def test_counts_and_buckets_are_those_of_the_table():
    found = split()
    assert len(found.facts) == len(FACTS)
    for one in found.facts:
        assert one.count == int(one.fact_id.rsplit("-", 1)[1]) // 2
    ranges = defaultdict(list)
    for one in found.facts:
        ranges[one.model_extra["bucket"]].append(one.count)
    ends = [(min(values), max(values)) for _, values in sorted(ranges.items())]
    assert all(high < low for (_, high), (low, _) in pairwise(ends))
    assert [bucket.label for bucket in found.buckets["t"]] == [f"{low}–{high}" for low, high in ends]


def test_tables_are_cut_each_for_itself():
    rare = [fact(number, table="rare") for number in range(N, N + 40)]
    counts = pl.concat([counts_of(FACTS), counts_of(rare, lambda f: int(f.subject[1:]) % 4)])
    found = split([*FACTS, *rare], counts)
    assert set(found.buckets) == {"t", "rare"}
    assert found.buckets["rare"][-1].high == 3 < found.buckets["t"][-1].high


def test_facts_of_count_0_are_never_seen_where_that_is_asked_for():
    zero = {f.fact_id for f in FACTS if int(f.subject[1:]) < 20}
    counts = counts_of(FACTS, lambda f: 0 if f.fact_id in zero else 5 + int(f.subject[1:]))
    found = split(counts=counts, unseen=10)
    never = [f for f in found.facts if f.role == "never_seen"]
    assert len(never) == 10 and {f.fact_id for f in never} <= zero
    assert all(f.count == f.exposure == 0 and "bucket" not in f.model_extra for f in never)
    assert found.dropped["count 0, not drawn as never-seen"] == 30
    assert not zero & {f.fact_id for f in found.facts if f.role != "never_seen"}
    kept = split(counts=counts, unseen=0)
    assert zero <= {f.fact_id for f in kept.facts if "bucket" in f.model_extra}


def test_withheld_facts_are_never_seen_and_keep_their_count():
    never = [f for f in split(withheld_share=0.2).facts if f.role == "never_seen"]
    assert len(never) == 80 and all(f.exposure == 0 and "bucket" in f.model_extra for f in never)
    assert all(f.count == int(f.subject[1:]) // 2 for f in never)


def test_made_up_names_that_stand_in_the_corpus_are_left_out():
    made = [fact(f"m{n}", role="never_seen", made_up=True) for n in range(4)]
    counts = counts_of(
        [*FACTS, *made], lambda _: 3, subject_count=pl.col("fact_id").is_in(["t-r-m1"]).cast(int)
    )
    found = split([*FACTS, *made], counts)
    kept = [f.fact_id for f in found.facts if f.model_extra.get("made_up")]
    assert kept == ["t-r-m0", "t-r-m2", "t-r-m3"]
    assert found.dropped["fictitious name that occurs in the corpus"] == 1
    uncounted = split([*FACTS, *made], counts_of(FACTS).drop("subject_count"))
    assert sum(bool(f.model_extra.get("made_up")) for f in uncounted.facts) == 4


def test_facts_without_a_count_are_left_out_and_counted():
    found = split(counts=counts_of(FACTS[:-7]))
    assert len(found.facts) == len(FACTS) - 7 and found.dropped["no count"] == 7


def test_the_seed_alone_decides_the_roles():
    def roles(found):
        return {f.fact_id: f.role for f in found.facts}

    assert roles(split()) == roles(split([*reversed(FACTS)]))
    assert roles(split()) != roles(split(seed=1))


def test_a_split_that_leaves_nothing_to_forget_is_refused():
    with pytest.raises(ValidationError, match=r"1\.1 in all; less than 1 leaves subjects to forget"):
        SplitSettings(retain_share=0.5, utility_share=0.3, withheld_share=0.3)
    zeros = counts_of(FACTS, lambda _: 0)
    with pytest.raises(DataError, match="no fact is left to forget"):
        split(counts=zeros, unseen=5)
