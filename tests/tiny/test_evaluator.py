"""The evaluator fills both tables: a row for every fact, probe and metric, and a reason for every gap."""

import polars as pl
import pytest

from tiny_world import PROMPTS
from unequal.evaluation import evaluate as module
from unequal.evaluation.evaluate import Evaluator
from unequal.evaluation.metrics import METRICS
from unequal.evaluation.metrics.contract import Chance, Metric, NoValueError
from unequal.evaluation.score_table import GENERATION_SCHEMA, SCORE_SCHEMA
from unequal.facts.probes import PROBE_KINDS, ProbeMaker
from unequal.scoring.generate import generate
from unequal.scoring.log_probs import log_probs


@pytest.fixture(scope="module")
def some(facts):
    return facts[::10]


@pytest.fixture
def tables(model, tokenizer, facts, some):
    maker = ProbeMaker(facts, PROMPTS, n_variants=2)
    model.train()
    return Evaluator(tokenizer, some, maker, PROBE_KINDS).run(model)


def test_there_is_one_row_a_fact_probe_and_metric(tables, some, model):
    scores = tables.scores
    assert not model.training
    computed = {name: m for name, m in METRICS.items() if set(m.needs) <= {"generation", "scores"}}
    n_open = sum(metric.variant is None for metric in computed.values())
    assert len(scores) == len(some) * (4 * n_open + 2)
    assert scores.unique(["fact_id", "probe", "metric"]).height == len(scores)
    assert all(SCORE_SCHEMA[column] == kind for column, kind in scores.schema.items())
    assert dict(scores.select("metric", "kind").unique().iter_rows()) == {
        name: metric.kind for name, metric in computed.items()
    }


def test_rows_carry_their_facts_columns(tables, some):
    of_fact = {fact.fact_id: fact for fact in some}
    for row in tables.scores.iter_rows(named=True):
        fact = of_fact[row["fact_id"]]
        for column in ("subject", "relation", "role", "exposure", "count"):
            assert row[column] == getattr(fact, column)


def test_values_are_means_over_wordings_of_what_the_passes_give(tables, some, model, tokenizer, facts):
    maker = ProbeMaker(facts, PROMPTS, n_variants=2)
    found = {(r["fact_id"], r["probe"], r["metric"]): r["value"] for r in tables.scores.iter_rows(named=True)}
    for fact in some:
        probes = maker.probes(fact, ["cloze"])
        assert len(probes) == 2
        sums = [score.right.log_probs.sum() for score in log_probs(model, tokenizer, probes)]
        assert found[fact.fact_id, "cloze", "answer_log_prob"] == pytest.approx(sum(sums) / 2, abs=1e-3)


def test_texts_are_kept_for_every_open_probe(tables, some, model, tokenizer, facts):
    maker = ProbeMaker(facts, PROMPTS, n_variants=2)
    texts = tables.generations
    assert len(texts) == len(some) * (1 + 2 + 2 + 1)
    assert texts.schema == pl.Schema(
        {name: kind for name, kind in GENERATION_SCHEMA.items() if name not in ("run_id", "step")}
    )
    (probe,) = maker.probes(some[0], ["question"])
    (row,) = texts.filter(pl.col("fact_id") == some[0].fact_id, pl.col("probe") == "question").to_dicts()
    assert (row["prompt"], row["answer"]) == (probe.prompt, probe.answer)
    assert [row["generation"]] == generate(model, tokenizer, [probe])


def fails_on_variants(*variants):
    def value(record):
        if record.probe.variant in variants:
            raise NoValueError(f"no value for wording {record.probe.variant}")
        return 0.5

    return Metric(
        name="failing", kind="generation", direction="higher means known", low=0, high=1, formula="none",
        chance=Chance("none"), source="none", value=value, needs=("generation",), probes=("cloze",),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("variants", "expected"),
    [((0, 1), (None, "no value for wording 0")), ((1,), (0.5, None)), ((), (0.5, None))],
)
def test_a_gap_has_a_reason_and_a_value_has_none(
    variants, expected, model, tokenizer, facts, some, monkeypatch
):
    monkeypatch.setattr(module, "METRICS", {"failing": fails_on_variants(*variants)})
    maker = ProbeMaker(facts, PROMPTS, n_variants=2)
    scores = Evaluator(tokenizer, some[:2], maker, ["cloze"]).run(model).scores
    assert scores.select("value", "reason").rows() == [expected] * 2


def test_a_fact_with_bare_columns_is_judged_as_far_as_it_goes(model, tokenizer, facts):
    bare = facts[0].model_copy(
        update={"distractors": (), "cloze": (), "paraphrases": (), "reverse_question": None}
    )
    scores = Evaluator(tokenizer, [bare], ProbeMaker([bare], PROMPTS), PROBE_KINDS).run(model).scores
    assert set(scores["probe"]) == {"question"}
    gaps = scores.filter(pl.col("value").is_null())
    assert set(gaps["metric"]) == {
        "choice_prob", "choice_accuracy", "choice_accuracy_sum", "margin", "truth_ratio"
    }  # fmt: skip
    assert set(gaps["reason"]) == {"the fact has no distractors"}


def test_no_probes_give_empty_tables(model, tokenizer, facts):
    tables = Evaluator(tokenizer, facts[:1], ProbeMaker(facts, PROMPTS), []).run(model)
    assert len(tables.scores) == len(tables.generations) == 0
