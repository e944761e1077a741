"""Samples follow the distribution, stay in the nucleus, and depend on their probe and number alone."""

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from gate import only_in_full
from unequal.errors import ConfigError
from unequal.facts.probes import EXTRA_TOKENS, Probe
from unequal.models.capabilities import capabilities_of
from unequal.scoring.encoding import open_prompt
from unequal.scoring.generate import generate
from unequal.scoring.sample import SamplePass, nucleus, sampler
from unequal.scoring.settings import SampleSettings
from unequal.seeds import random_stream

GRID = [(0.0, 1.0), (0.8, 0.6), (2.0, 1.0)]


def draw(logits, temperature, top_p, n=20_000):
    """Return how often each token is the first one, of ``n`` with chances from a fixed stream."""
    chances = torch.from_numpy(np.random.default_rng(3).random((n, 1)))
    choose = sampler(chances, SampleSettings(n=n, temperature=temperature, top_p=top_p))
    return torch.bincount(choose(logits.expand(n, -1), torch.arange(n), 0), minlength=len(logits)).numpy()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7])
def test_the_first_token_follows_the_softmax_at_the_temperature(temperature):
    logits = torch.tensor([0.3, -1.0, 2.0, 0.0, 0.9])
    weights = np.exp(logits.double().numpy() / temperature)
    counts = draw(logits, temperature, 1.0)
    assert chisquare(counts, weights / weights.sum() * counts.sum()).pvalue > 0.01


def replayed(model, tokenizer, probe, number, seed, top_p):
    """Return a sample's text, worked out from the whole text so far, one token at a time."""
    stream = random_stream(seed, "sample", probe.fact_id, probe.kind, probe.variant, number)
    ids = tokenizer(probe.prompt)["input_ids"]
    said = []
    while len(said) < open_prompt(tokenizer, probe).limit and tokenizer.eos_token_id not in said:
        with torch.no_grad():
            weights = model(torch.tensor([ids + said])).logits[0, -1].double().softmax(-1).numpy()
        order = np.argsort(-weights, kind="stable")
        n_kept = 1 + int((weights[order].cumsum() < top_p).sum())
        kept = sorted(order[:n_kept])
        place = stream.random() * weights[kept].sum()
        said.append(int(kept[np.searchsorted(weights[kept].cumsum(), place, side="right")]))
    return tokenizer.decode(said, skip_special_tokens=True).strip()


@pytest.mark.full
def test_a_sample_is_what_its_chances_pick_from_the_model_token_by_token(model, tokenizer, probes):
    probes = probes[::20]
    texts = SamplePass(tokenizer, probes, 3, 1.0, 0.7, seed=4).run(model)
    for probe, found in zip(probes, texts, strict=True):
        assert found == [replayed(model, tokenizer, probe, number, 4, 0.7) for number in range(3)]


def test_the_nucleus_is_the_smallest_set_with_the_mass():
    probabilities = torch.tensor([[0.1, 0.4, 0.3, 0.2]], dtype=torch.float64)
    kept = {top_p: nucleus(probabilities, top_p).nonzero()[:, 1].tolist() for top_p in (0.05, 0.4, 0.5, 0.8)}
    assert kept == {0.05: [1], 0.4: [1], 0.5: [1, 2], 0.8: [1, 2, 3]}
    assert nucleus(probabilities, 1.0).equal(probabilities)


def test_of_equal_tokens_the_nucleus_keeps_no_more_than_it_needs():
    assert nucleus(torch.full((1, 4), 0.25), 0.5).nonzero()[:, 1].tolist() == [0, 1]


def test_no_sample_leaves_the_nucleus_which_keeps_its_proportions():
    logits = torch.tensor([0.1, 0.4, 0.3, 0.2]).log()
    counts = draw(logits, 1.0, 0.65)
    assert counts[[0, 3]].tolist() == [0, 0]
    assert chisquare(counts[[1, 2]], np.array([4, 3]) / 7 * counts.sum()).pvalue > 0.01


@pytest.mark.parametrize("chance", [0.0, 1.0 - 2**-53])
def test_the_ends_of_the_distribution_are_tokens_that_have_a_probability(chance):
    logits = torch.tensor([[-torch.inf, 0.0, 1.0, -torch.inf]])
    choose = sampler(torch.full((1, 1), chance, dtype=torch.float64), SampleSettings(n=1))
    assert choose(logits, torch.tensor([0]), 0).item() == (1 if chance == 0.0 else 2)


def sample(model, tokenizer, probes, n=5, seed=2, batch_size=256):
    return SamplePass(tokenizer, probes, n, 1.0, 0.9, seed, batch_size).run(model)


@pytest.mark.parametrize(("n", "batch_size"), [(6, 4), *only_in_full((None, 1), (None, 7), (None, 64))])
def test_samples_depend_on_neither_batch_nor_order_nor_the_other_probes(
    model, tokenizer, probes, n, batch_size
):
    probes = probes[::2][:n]
    expected = sample(model, tokenizer, probes)
    assert len({text for texts in expected for text in texts}) > 3 * len(probes)
    assert sample(model, tokenizer, probes[::-1], batch_size=batch_size)[::-1] == expected
    assert sample(model, tokenizer, probes[1:3], batch_size=batch_size) == expected[1:3]


def test_a_sample_depends_on_its_number_and_the_seed_and_not_on_how_many_there_are(model, tokenizer, probes):
    few, many = (sample(model, tokenizer, probes[:6], n=n) for n in (2, 5))
    assert [texts[:2] for texts in many] == few
    assert sample(model, tokenizer, probes[:6], seed=3) != many


def test_at_temperature_zero_all_samples_are_the_greedy_text(model, tokenizer, probes):
    texts = SamplePass(tokenizer, probes[:9], 3, 0.0, 0.5, seed=1).run(model)
    assert texts == [[text] * 3 for text in generate(model, tokenizer, probes[:9])]


@pytest.mark.full
def test_a_grid_gives_what_its_points_give_and_reads_each_prompt_once(model, tokenizer, probes, monkeypatch):
    probes = probes[:6]
    ready = SamplePass(tokenizer, probes, 4, 1.0, 1.0, seed=5)
    assert capabilities_of(model).left_padding
    reads = []
    forward = model.forward
    monkeypatch.setattr(
        model, "forward", lambda input_ids, **k: reads.append(input_ids.shape) or forward(input_ids, **k)
    )
    grid = ready.run_grid(model, GRID)
    assert [rows for rows, length in reads if length > 1] == [len(probes)]
    assert grid == [SamplePass(tokenizer, probes, 4, *point, seed=5).run(model) for point in GRID]


def test_a_sample_is_no_longer_than_a_greedy_text_may_be(model, tokenizer, probes):
    probe = Probe("f", "question", 0, "Question:", "True", ("True",), ())
    (texts,) = SamplePass(tokenizer, [probe], 30, 1.5, 1.0, seed=0).run(model)
    assert (
        max(len(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in texts) <= 1 + EXTRA_TOKENS
    )


@pytest.mark.parametrize(
    ("n", "temperature", "top_p", "named"),
    [(0, 1.0, 1.0, "n"), (1, -0.1, 1.0, "temperature"), (1, float("nan"), 1.0, "temperature"),
     (1, 1.0, 0.0, "top_p"), (1, 1.0, 1.1, "top_p")],
)  # fmt: skip
def test_settings_out_of_range_are_refused(tokenizer, n, temperature, top_p, named):
    with pytest.raises(ConfigError, match=rf"sampling: .*{named}"):
        SamplePass(tokenizer, [], n, temperature, top_p, seed=0)
