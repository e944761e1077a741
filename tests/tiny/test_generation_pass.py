"""The generation pass says what `generate` says, and a text depends on its probe alone."""

import random

import pytest
import torch

from unequal.facts.probes import Probe
from unequal.models.load import scratch_model
from unequal.models.shapes import ModelSettings, Shape, Vocabulary
from unequal.scoring.generate import EXTRA_TOKENS, GenerationPass, generate


def limit_of(tokenizer, probe):
    answers = tokenizer([f" {text}" for text in probe.accepted], add_special_tokens=False)["input_ids"]
    return max(map(len, answers)) + EXTRA_TOKENS


def by_transformers(model, tokenizer, probe):
    """Return the greedy continuation of one prompt as transformers generates it."""
    ids = torch.tensor([tokenizer(probe.prompt)["input_ids"]])
    out = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        max_new_tokens=limit_of(tokenizer, probe),
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True).strip()


def test_texts_equal_those_of_transformers(model, tokenizer, probes):
    probes = [probe for probe in probes if probe.kind != "true_false"][::4]
    texts = generate(model, tokenizer, probes)
    assert len(set(texts)) > 3
    assert texts == [by_transformers(model, tokenizer, probe) for probe in probes]


@pytest.mark.parametrize("batch_size", [1, 3, 256])
def test_a_text_depends_on_neither_batch_nor_order(model, tokenizer, probes, batch_size):
    expected = generate(model, tokenizer, probes)
    order = list(range(len(probes)))
    random.Random(0).shuffle(order)
    shuffled = GenerationPass(tokenizer, [probes[index] for index in order], batch_size).run(model)
    assert [shuffled[order.index(index)] for index in range(len(probes))] == expected


def test_a_text_is_as_long_as_its_longest_accepted_answer_and_some_tokens(model, tokenizer, probes):
    for probe, text in zip(probes, generate(model, tokenizer, probes), strict=True):
        assert len(tokenizer(text, add_special_tokens=False)["input_ids"]) <= limit_of(tokenizer, probe)


class Scripted(torch.nn.Module):
    """Stands for a model: each row says its script, one token a step, whatever it is asked."""

    def __init__(self, model, *scripts):
        super().__init__()
        self.config = model.config
        self.device = torch.device("cpu")
        self._size = model.config.vocab_size
        self._scripts = scripts
        self.n_calls = 0

    def forward(self, input_ids, **_):
        logits = torch.zeros(len(input_ids), 1, self._size)
        for row, script in enumerate(self._scripts):
            logits[row, 0, script[self.n_calls]] = 1.0
        self.n_calls += 1
        return type("Output", (), {"logits": logits})


def test_a_text_ends_at_the_end_of_text_token(model, tokenizer):
    ids = tokenizer(" True False", add_special_tokens=False)["input_ids"]
    probe = Probe("f", "question", 0, "Question:", "True", ("True",), ())
    end = tokenizer.eos_token_id
    scripted = Scripted(model, [ids[0], end, *ids], [*ids, end, *ids])
    assert generate(scripted, tokenizer, [probe, probe]) == ["True", "True False"]
    assert scripted.n_calls == 3  # no step more than the longest text needs
    silent = Scripted(model, [end])
    assert generate(silent, tokenizer, [probe]) == [""]


def test_the_same_prompt_with_a_longer_answer_only_goes_on_longer(tokenizer):
    settings = ModelSettings(family="gpt2", size="tiny", shape=Shape(width=32, layers=2, heads=4))
    vocabulary = Vocabulary(size=len(tokenizer), window_tokens=160, end_token_id=0, padding_token_id=1)
    model = scratch_model(settings, vocabulary, seed=8).eval()
    short = Probe("f", "question", 0, "Question:", "True", ("True",), ())
    long = Probe("f", "question", 0, "Question:", "True", ("True", "True True True True"), ())
    said, more = generate(model, tokenizer, [short, long])
    assert more.startswith(said)
    assert len(more) > len(said)
