"""A tiny study that crosses factors, the whole way: corpora, models, scores, factors beside them, report."""

import polars as pl
import pytest

from command_line import call, finish, start, toml
from study_settings import changed
from unequal.analysis.factors.ranking import EXCLUDED

pytestmark = pytest.mark.full

CROSS = ["facts_per_person", "object_popularity", "asked"]


def settings():
    """Return a study of three factors in full, small enough to know nothing much and to end soon."""
    values = changed()
    values["pretrain_seeds"] = [0, 1]
    values["seeds"] = [0]
    values["methods"] = ["ga"]
    values["world"]["relations"] = ["birth_city", "employer", "university"]
    values["corpus"] |= {
        "levels": [0, 4],
        "people_per_level": 8,
        "epochs": 6,
        "window_tokens": 96,
        "factors": {"cross": CROSS, "few_facts": 1, "common_objects": 1},
    }
    return values


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of the study after a run."""
    folder = tmp_path_factory.mktemp("factors")
    (folder / "study.toml").write_text(toml(settings()))
    result = finish(start("study", "run", folder / "study.toml", "--out", folder / "out", "--workers", 2))
    assert result.code == 0, result.err
    return folder / "out"


def test_every_fact_of_every_corpus_has_its_levels_beside_the_scores(finished):
    factors = pl.read_parquet(finished / "factors.parquet")
    assert factors.columns[:3] == ["pretrain_seed", "wording", "fact_id"]
    scores = pl.read_parquet(finished / "scores.parquet")
    judged = (
        scores.filter(pl.col("role") == "forget")
        .select("pretrain_seed", "wording", "fact_id", "exposure")
        .unique()
    )
    joined = judged.join(factors, on=["pretrain_seed", "wording", "fact_id"], how="left", suffix="_ledger")
    assert joined.height == judged.height == 16
    assert joined["exposure"].to_list() == joined["exposure_ledger"].to_list()
    for name in CROSS:
        counts = joined.group_by("pretrain_seed", name).len()
        assert counts["len"].to_list() == [4] * 4
    few = scores.filter(pl.col("role") == "neighbour").join(
        factors, on=["pretrain_seed", "wording", "fact_id"]
    )
    assert set(few["facts_per_person"]) == {"many"}  # people of one fact have no other


def test_the_analysis_and_the_report_hold_the_factors(finished):
    table = pl.read_csv(finished / "analysis" / "factors.csv", infer_schema_length=None)
    known = table.filter(pl.col("outcome") == "known before")
    assert set(known["factor"]) >= set(CROSS)
    forgotten = table.filter((pl.col("outcome") == "forgotten share") & pl.col("factor").is_in(CROSS))
    assert forgotten.filter(pl.col("verdict") == EXCLUDED)["reason"].null_count() == 0
    levels = pl.read_csv(finished / "analysis" / "factor_levels.csv", infer_schema_length=None)
    assert set(levels["factor"]) >= set(CROSS)
    html = (finished / "report.html").read_text(encoding="utf-8")
    assert "What else makes facts hard to forget?" in html


def test_the_same_command_finds_all_done_and_the_table_comes_back(finished):
    before = (finished / "factors.parquet").read_bytes()
    (finished / "factors.parquet").unlink()
    result = call("study", "run", finished.parent / "study.toml", "--out", finished)
    assert result.code == 0, result.err
    assert (finished / "factors.parquet").read_bytes() == before


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("corpus", "people_per_level"), 9, "people_per_level 9 must be a multiple of 8"),
        (("wordings",), ["rerendered", "verbatim"], "corpus.factors vary the wording themselves"),
        (
            ("targets",),
            [{"relation": "employer"}],
            "'employer' is not known of people of few facts (birth_city)",
        ),
        (("world", "relations"), ["birth_city"], "few_facts 1 must be less than the 1 relations"),
    ],
)
def test_a_study_that_cannot_cross_its_factors_is_refused_in_one_sentence(tmp_path, place, value, message):
    values = settings()
    *parents, last = place
    table = values
    for parent in parents:
        table = table[parent]
    table[last] = value
    (tmp_path / "study.toml").write_text(toml(values))
    result = call("study", "run", tmp_path / "study.toml", "--out", tmp_path / "out")
    assert result.code == 2
    assert message in result.err.replace("\n", " ")
    assert not (tmp_path / "out").exists()
