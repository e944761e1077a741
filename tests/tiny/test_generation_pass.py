"""The generation pass says what `generate` says, and a text depends on its probe alone."""

import random

import pytest
import torch

from gate import only_in_full
from unequal.errors import DataError
from unequal.facts.probes import EXTRA_TOKENS, Probe
from unequal.models.load import scratch_model
from unequal.models.shapes import ModelSettings, Shape, Vocabulary
from unequal.scoring.generate import GenerationPass, generate
from unequal.scoring.log_probs import log_probs


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


@pytest.mark.parametrize(("n", "batch_size"), [(6, 4), *only_in_full((None, 1), (None, 3), (None, 256))])
def test_a_text_depends_on_neither_batch_nor_order(model, tokenizer, probes, n, batch_size):
    probes = probes[:n]
    expected = generate(model, tokenizer, probes)
    order = list(range(len(probes)))
    random.Random(0).shuffle(order)
    shuffled = GenerationPass(tokenizer, [probes[index] for index in order], batch_size).run(model)
    assert [shuffled[order.index(index)] for index in range(len(probes))] == expected


def test_a_text_is_as_long_as_its_longest_accepted_answer_and_some_tokens(model, tokenizer, probes):
    for probe, text in zip(probes, generate(model, tokenizer, probes), strict=True):
        assert len(tokenizer(text, add_special_tokens=False)["input_ids"]) <= limit_of(tokenizer, probe)


class Scripted(torch.nn.Module):
    """Stands for a model without a cache: each prompt has a script, said one token a step."""

    def __init__(self, model, scripts, prompt_length):
        super().__init__()
        self.config = model.config
        self.device = torch.device("cpu")
        self._size = model.config.vocab_size
        self._scripts = scripts
        self._prompt_length = prompt_length
        self.rows_of_calls = []

    def forward(self, input_ids, **_):
        logits = torch.zeros(len(input_ids), 1, self._size)
        said = input_ids.shape[1] - self._prompt_length
        for row, ids in enumerate(input_ids.tolist()):
            logits[row, 0, self._scripts[ids[self._prompt_length - 1]][said]] = 1.0
        self.rows_of_calls.append(len(input_ids))
        return type("Output", (), {"logits": logits})


def test_a_text_ends_at_the_end_of_text_token_and_is_read_no_further(model, tokenizer):
    prompts = ["Question: True", "Question: False"]
    short, long = (Probe("f", "question", 0, prompt, "True", ("True",), ()) for prompt in prompts)
    (*front, true), (*_, false) = tokenizer(prompts)["input_ids"]
    length, end = len(front) + 1, tokenizer.eos_token_id
    scripted = Scripted(model, {true: [true, end, true], false: [true, false, false, end, true]}, length)
    assert generate(scripted, tokenizer, [short, long]) == ["True", "True False False"]
    assert scripted.rows_of_calls == [2, 2, 1, 1]
    silent = Scripted(model, {true: [end]}, length)
    assert generate(silent, tokenizer, [short]) == [""]


def test_the_same_prompt_with_a_longer_answer_only_goes_on_longer(tokenizer):
    settings = ModelSettings(family="gpt2", size="tiny", shape=Shape(width=32, layers=2, heads=4))
    vocabulary = Vocabulary(size=len(tokenizer), window_tokens=160, end_token_id=0, padding_token_id=1)
    model = scratch_model(settings, vocabulary, seed=8).eval()
    short = Probe("f", "question", 0, "Question:", "True", ("True",), ())
    long = Probe("f", "question", 0, "Question:", "True", ("True", "True True True True"), ())
    said, more = generate(model, tokenizer, [short, long])
    assert more.startswith(said)
    assert len(more) > len(said)


def test_the_window_ends_a_text_and_a_prompt_that_is_longer_is_refused(tokenizer):
    vocabulary = Vocabulary(size=len(tokenizer), window_tokens=8, end_token_id=0, padding_token_id=1)
    settings = ModelSettings(family="gpt2", size="tiny", shape=Shape(width=16, layers=1, heads=2))
    model = scratch_model(settings, vocabulary, seed=0).eval()
    fits = Probe("f", "question", 0, "the " * 6, "of", ("of",), ("in",))
    (text,) = generate(model, tokenizer, [fits])
    assert len(tokenizer(text, add_special_tokens=False)["input_ids"]) <= 3
    (score,) = log_probs(model, tokenizer, [fits])
    assert len(score.right.log_probs) == 1
    too_long = Probe("f", "question", 0, "the " * 9, "of", ("of",), ("in",))
    for ask in (generate, log_probs):
        with pytest.raises(DataError, match="tokens, but the model's window has 8; shorten it"):
            ask(model, tokenizer, [too_long])
