"""Facts that every model of a study knew: within a seed, and only where there are enough of them."""

import importlib.util
from pathlib import Path

import polars as pl
import pytest

SCRIPT = Path(__file__).parents[3] / "scripts" / "equal_knowledge.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("equal_knowledge", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def scores(known, **columns):
    """Return rows of two families for each seed and fact, right where ``known`` names the three of them."""
    labels = {"size": "0.1M", "wording": "rerendered", "role": "forget", "step": 0, "probe": "question"}
    rows = [
        {
            "family": family,
            "pretrain_seed": seed,
            "fact_id": fact,
            "metric": "exact_match",
            "value": float((seed, family, fact) in known),
            **labels,
            **columns,
        }
        for seed in (0, 1)
        for family in ("gpt2", "llama")
        for fact in ("a", "b", "c")
    ]
    return pl.DataFrame(rows)


KNOWN = {(0, "gpt2", "a"), (0, "llama", "a"), (0, "gpt2", "b"), (0, "llama", "b"), (0, "gpt2", "c")}
KNOWN |= {(1, "gpt2", "a"), (1, "llama", "a"), (1, "gpt2", "b"), (1, "llama", "c")}


def test_a_fact_is_common_where_all_models_of_its_seed_knew_it(script):
    assert script.common_facts(scores(KNOWN), 1).rows() == [(0, "a"), (0, "b"), (1, "a")]
    assert script.common_facts(scores(KNOWN), 2).rows() == [(0, "a"), (0, "b")]
    assert script.common_facts(scores(KNOWN), 3).is_empty()


@pytest.mark.parametrize(
    "columns", [{"role": "retain"}, {"step": 1}, {"probe": "cloze"}, {"metric": "choice_accuracy"}], ids=str
)
def test_only_greedy_answers_to_questions_before_unlearning_count(script, columns):
    assert script.common_facts(scores(KNOWN, **columns), 1).is_empty()


def test_what_is_written_keeps_other_roles_and_drops_seeds_with_few(script, tmp_path, monkeypatch, capsys):
    others = scores(KNOWN, role="never_seen", step=1)
    table = pl.concat([scores(KNOWN), scores(KNOWN, step=1), others], how="diagonal")
    table.write_parquet(tmp_path / "scores.parquet")
    out = tmp_path / "same"
    monkeypatch.setattr("sys.argv", ["x", str(tmp_path), "--least", "2", "--out", str(out)])
    script.main()
    found = pl.read_parquet(out / "scores.parquet")
    assert found["pretrain_seed"].unique().to_list() == [0]
    kept = found.filter(pl.col("role") == "forget")
    assert sorted(kept["fact_id"].unique()) == ["a", "b"]
    assert sorted(kept["step"].unique()) == [0, 1]
    assert found.filter(pl.col("role") == "never_seen").height == 6
    monkeypatch.setattr(
        "sys.argv", ["x", str(tmp_path), "--families", "gpt2", "--least", "1", "--out", str(out)]
    )
    script.main()
    alone = pl.read_parquet(out / "scores.parquet").filter(pl.col("role") == "forget")
    assert sorted(alone.select("pretrain_seed", "fact_id").unique().rows()) == sorted(
        {(seed, fact) for seed, family, fact in KNOWN if family == "gpt2"}
    )
    monkeypatch.setattr("sys.argv", ["x", str(tmp_path), "--out", str(out)])
    with pytest.raises(SystemExit) as stopped:
        script.main()
    assert stopped.value.code == 2
    assert "no pre-training has 20 facts" in capsys.readouterr().err
