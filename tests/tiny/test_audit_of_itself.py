"""An audit of a model against itself finds what it knows still there, however the model answers."""

import json

import polars as pl
import pytest

from answering_models import ANSWERS, FACTS, prompts, write_model
from command_line import call
from unequal.auditing.page import render_audit
from unequal.facts.table import facts_frame

pytestmark = pytest.mark.full


@pytest.fixture(scope="module", params=ANSWERS)
def audited(request, tmp_path_factory):
    """The folder of an audit of a model against itself, and the answer of the command line."""
    folder = tmp_path_factory.mktemp("itself")
    write_model(request.param, folder / "model")
    facts_frame(FACTS).write_parquet(folder / "facts.parquet")
    attacks = 'attacks = ["int8", "choice", {kind = "relearn", steps = 2}, {kind = "sample", n = 4, k = 2}]'
    (folder / "audit.toml").write_text(f"{attacks}\n{prompts(request.param)}")
    files = ("--facts", folder / "facts.parquet", "--config", folder / "audit.toml", "--out", folder / "out")
    return folder / "out", call("audit", "--before", folder / "model", "--after", folder / "model", *files)


def test_every_fact_is_still_there_and_nothing_else_is_lost(audited):
    out, result = audited
    assert result.code == 0, result.err
    facts = pl.read_parquet(out / "facts.parquet").filter(pl.col("role") == "forget")
    assert set(facts["verdict"]) == {"still there"}, facts["said_after"].to_list()
    assert facts["evidence"].str.starts_with("generated answer").all()
    assert facts["answer_said_before"].to_list() == facts["answer_said_after"].to_list() == [1.0] * 6
    assert {"exact_match_before", "exact_match_after", "contains_answer_after"} <= set(facts.columns)
    summary = json.loads((out / "audit.json").read_text())
    (said,) = [row for row in summary["utility"] if row["kind"] == "generation"]
    assert (said["metric"], said["before"], said["after"]) == ("answer_said", 1.0, 1.0)
    attacks = {row["attack"]: (row["metric"], row["mean"]) for row in summary["attacks"]}
    assert attacks["int8"] == ("answer_said", 1.0)
    assert attacks["sample"][1] > 0.5
    assert (
        "known by answer_said: the text is the answer, or says it in the sentence that answers," in result.out
    )
    assert "Known by answer_said: " in render_audit(facts, summary)
