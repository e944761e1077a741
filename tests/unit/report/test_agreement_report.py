"""The report's tables and pictures of agreement: sizes, who is first, attacks."""

import numpy as np
import polars as pl
import pytest

from simulated_sizes import SizesTruth, simulate_sizes
from unequal.analysis.analyze import analyze_scores
from unequal.files import write_table
from unequal.report.build import build_report
from unequal.report.sentences import attack_sentence, order_sentence
from unequal.report.tables.agreement import attack_rows, order_rows

pytestmark = pytest.mark.full

TRUTH = SizesTruth(slope=0.1, sizes=(200_000, 900_000), people=30, never_seen=30)
LARGEST = "gpt2 900000"


def attacked(scores, name, share_found):
    """Return rows of an attack that finds a share of the facts to forget, and nothing of the others."""
    ends = scores.filter((pl.col("metric") == "said") & pl.col("step").is_in([0, 10]))
    found = np.random.default_rng(0).random(ends.height) < share_found
    forget = (ends["role"] == "forget").to_numpy()
    return ends.with_columns(
        pl.lit(name).alias("metric"),
        pl.lit("robustness").alias("kind"),
        pl.Series("value", np.where(forget, np.maximum(ends["value"].to_numpy(), found), 0.0)),
    )


@pytest.fixture(scope="module")
def scores():
    plain = simulate_sizes(TRUTH)
    attacks = [("int8_said", 0.2), ("relearn_said", 0.7), ("cloze_first_token_rank", 0.5)]
    return pl.concat([plain, *[attacked(plain, name, share) for name, share in attacks]])


@pytest.fixture(scope="module")
def analysis(scores):
    return analyze_scores(scores, draws=60)


def test_plain_looks_stand_before_the_attacks(analysis):
    methods, rows = attack_rows(analysis, LARGEST)
    assert methods == ["ga", "npo"]
    looks = [(row["attack"], row["test"]) for row in rows]
    assert looks[0] == ("no attack", "greedy answer wrong")
    assert [attack for attack, _ in looks[4:]] == ["cloze", "int8", "relearn"]
    relearned = next(row for row in rows if row["attack"] == "relearn")
    assert relearned["total"]["value"] < 0.5 and relearned["total"]["never_seen"] == 1.0


def test_sentences_name_the_strongest_attack_and_who_is_first(analysis):
    assert "relearn brings back most" in attack_sentence(analysis, LARGEST)
    sentence = order_sentence(analysis, LARGEST)
    row = next(row for row in order_rows(analysis, LARGEST) if row["method"] == "all methods")
    assert f"generation called {row['generation first']['value']:.0%}" in sentence
    assert row["generation first"]["value"] > row["probability first"]["value"]


@pytest.mark.full
def test_an_attack_that_finds_nothing_is_not_said_to_bring_facts_back():
    plain = simulate_sizes(TRUTH)
    nothing = attacked(plain, "int8_said", 0.0)
    found = analyze_scores(pl.concat([plain, nothing]), draws=20)
    assert attack_sentence(found, LARGEST).startswith("No attack")
    assert attack_sentence(analyze_scores(plain, draws=20), LARGEST) == ""


@pytest.mark.full
def test_two_sizes_get_a_picture_and_attacks_a_table(scores, tmp_path):
    write_table(scores, tmp_path / "scores.parquet")
    page = build_report(tmp_path).read_text(encoding="utf-8").split("<script")[0]
    assert '<figure id="sizes"' in page and '<section id="attacks"' in page
    assert "Generation first" in page and "Hidden leak" in page and "NaN" not in page
