"""What an evaluator computes follows from the passes it is asked for, and all of it is what they give."""

import copy

import polars as pl
import pytest
import torch

from command_line import call
from gate import only_in_full
from tiny_world import PROMPTS
from unequal.errors import ConfigError
from unequal.evaluation.evaluate import Evaluator
from unequal.evaluation.metrics import METRICS, STUDY_METRICS
from unequal.evaluation.passes import Passes
from unequal.evaluation.score_table import read_scores
from unequal.facts.probes import PROBE_KINDS, ProbeMaker
from unequal.facts.table import facts_frame
from unequal.scoring.gradient import GradientPass
from unequal.scoring.settings import SampleSettings

ALL = Passes(samples=SampleSettings(n=10), gradient_norms=True)


@pytest.fixture(scope="module")
def some(facts):
    return facts[::20]


def evaluator(tokenizer, facts, some, **options):
    return Evaluator(tokenizer, some, ProbeMaker(facts, PROMPTS, 2), PROBE_KINDS, **options)


def test_every_metric_is_computed_from_all_passes(model, tokenizer, facts, some):
    scores = evaluator(tokenizer, facts, some, passes=ALL, reference=model).run(model).scores
    assert set(scores["metric"]) == set(METRICS)
    assert scores["value"].is_not_null().all()
    asked = scores.filter(pl.col("probe") == "question")  # which has one wording
    of = {metric: frame["value"] for (metric,), frame in asked.partition_by("metric", as_dict=True).items()}
    assert of["reference_loss"].abs().max() < 1e-9  # the model is its own reference
    assert (of["gradient_norm"] > 0).all()
    assert of["loss"].to_list() == pytest.approx((-of["answer_prob"].log()).to_list())


@pytest.mark.parametrize(
    ("passes", "missing"),
    [
        (Passes(), {"samples", "reference", "gradient_norm"}),
        *only_in_full(
            (Passes(moments=False), {"samples", "moments", "reference", "gradient_norm"}),
            (Passes(gradient_norms=True), {"samples", "reference"}),
            (Passes(samples=SampleSettings(n=2)), {"reference", "gradient_norm"}),
        ),
    ],
)
def test_a_pass_that_is_not_asked_for_leaves_its_metrics_out(passes, missing, model, tokenizer, facts, some):
    scores = evaluator(tokenizer, facts, some[:2], passes=passes).run(model).scores
    expected = {name for name, metric in METRICS.items() if missing.isdisjoint(metric.needs)}
    assert set(scores["metric"]) == expected


@pytest.mark.full
def test_few_samples_leave_a_reason(model, tokenizer, facts, some):
    few = Passes(samples=SampleSettings(n=2))
    scores = evaluator(tokenizer, facts, some[:1], passes=few, metrics=["leak_at_1", "leak_at_10"])
    rows = scores.run(model).scores
    assert rows.filter(pl.col("metric") == "leak_at_1")["value"].is_not_null().all()
    assert set(rows.filter(pl.col("metric") == "leak_at_10")["reason"]) == {
        "needs at least 10 samples, and there are 2"
    }


def test_named_metrics_come_alone_and_have_the_values_they_have_among_all(model, tokenizer, facts, some):
    alone = evaluator(tokenizer, facts, some, metrics=STUDY_METRICS).run(model).scores
    everything = evaluator(tokenizer, facts, some).run(model).scores
    assert tuple(alone["metric"].unique(maintain_order=True)) == STUDY_METRICS
    kept = everything.filter(pl.col("metric").is_in(STUDY_METRICS))
    keys = ["metric", "probe", "fact_id"]
    assert alone.sort(keys).equals(kept.sort(keys))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("leak_at_k", "unknown metric 'leak_at_k'; did you mean"),
        ("leak_at_1", "metric 'leak_at_1' needs samples, which no pass gives"),
        ("min_k_plus_plus_40", "needs moments"),
        ("reference_loss", "needs reference"),
        ("gradient_norm", "needs gradient_norm"),
    ],
)
def test_a_metric_that_cannot_be_computed_is_refused(name, said, tokenizer, facts, some):
    with pytest.raises(ConfigError, match=said):
        evaluator(tokenizer, facts, some[:1], metrics=["exact_match", name])


def test_the_gradient_norm_is_that_of_a_backward_pass_and_leaves_nothing_behind(model, tokenizer, probes):
    frozen = next(model.parameters())
    frozen.requires_grad_(False)
    try:
        norms = GradientPass(tokenizer, probes[:6]).run(model)
        assert not frozen.requires_grad
    finally:
        frozen.requires_grad_(True)
    assert all(weight.grad is None for weight in model.parameters())
    for probe, norm in zip(probes[:6], norms, strict=True):
        prompt = tokenizer(probe.prompt)["input_ids"]
        ids = torch.tensor([tokenizer(f"{probe.prompt} {probe.answer}")["input_ids"]])
        labels = ids.clone()
        labels[0, : len(prompt)] = -100
        gradients = torch.autograd.grad(model(ids, labels=labels).loss, list(model.parameters()))
        expected = torch.cat([gradient.flatten() for gradient in gradients]).norm()
        assert norm == pytest.approx(float(expected), rel=1e-4)


@pytest.fixture
def saved(model, tokenizer, facts, tmp_path):
    """A folder with the model, the same model with one more token in its vocabulary, and a few facts."""
    for name in ("model", "other"):
        model.save_pretrained(tmp_path / name)
        tokenizer.save_pretrained(tmp_path / name)
    other = copy.deepcopy(tokenizer)
    other.add_tokens(["unheard-of"])
    other.save_pretrained(tmp_path / "other")
    larger = copy.deepcopy(model)
    larger.resize_token_embeddings(len(other))
    larger.save_pretrained(tmp_path / "other")
    facts_frame(facts[:2]).write_parquet(tmp_path / "facts.parquet")
    return tmp_path


@pytest.mark.full
def test_the_command_asks_for_passes_by_flags(saved):
    words = ("evaluate", "--model", saved / "model", "--facts", saved / "facts.parquet")
    flags = ("--samples", 3, "--top-p", 0.9, "--reference", saved / "model", "--gradient-norms")
    result = call(*words, "--out", saved / "out", *flags)
    assert result.code == 0, result.err
    metrics = set(read_scores(saved / "out" / "scores.parquet")["metric"])
    assert metrics == set(METRICS)
    result = call(*words, "--out", saved / "few", "--metrics", "loss", "--metrics", "exact_match")
    assert set(read_scores(saved / "few" / "scores.parquet")["metric"]) == {"loss", "exact_match"}


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--reference", "other"), "other has another vocabulary than"),
        (("--metrics", "leak_at_1"), "metric 'leak_at_1' needs samples, which no pass gives"),
        (("--temperature", 0.5), "passes.samples.n"),
    ],
)
def test_the_command_refuses_passes_that_do_not_fit(flags, said, saved, monkeypatch):
    monkeypatch.chdir(saved)
    result = call("evaluate", "--model", "model", "--facts", "facts.parquet", "--out", "out", *flags)
    assert result.code == 2
    assert said in result.err
    assert not (saved / "out").exists()
