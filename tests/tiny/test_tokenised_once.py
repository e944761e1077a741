"""Each text of an unlearning run is tokenised once, by training and evaluation together."""

import copy
from collections import Counter

import pytest

from gate import only_in_full
from tiny_world import PROMPTS
from unequal.evaluation.evaluate import Evaluator
from unequal.facts.probes import PROBE_KINDS, ProbeMaker
from unequal.scoring.encoding import Encoder
from unequal.unlearning.methods import METHODS
from unequal.unlearning.run import Run
from unequal.unlearning.settings import UnlearnSettings
from unequal.unlearning.targets import Controls
from unequal.unlearning.unlearn import unlearn


@pytest.fixture
def texts(tokenizer, monkeypatch):
    """Count how often the tokenizer is given each text."""
    counts, plain = Counter(), type(tokenizer).__call__

    def counted(self, text, *args, **kwargs):
        counts.update([text] if isinstance(text, str) else text)
        return plain(self, text, *args, **kwargs)

    monkeypatch.setattr(type(tokenizer), "__call__", counted)
    return counts


@pytest.mark.parametrize("model", ["gpt2"], indirect=True)
@pytest.mark.parametrize(
    "kind", ["npo", "rmu", *only_in_full("dpo", "altpo", "elm", "whp", "task_vector", "icu")]
)
def test_each_text_is_tokenised_once(kind, model, tokenizer, facts, texts):
    roles = {role: [fact for fact in facts if fact.role == role] for role in ("forget", "retain", "utility")}
    never_seen = [fact for fact in facts if fact.role == "never_seen"]
    method, watched = METHODS.get(kind).model_validate({"kind": kind}), {}
    if kind not in ("task_vector", "icu"):
        watched = {
            "weighting": {"by": "confidence"},
            "stopping": {"utility_drop": 0.9, "matched_ignorance": True},
        }
    encoder = Encoder(tokenizer)
    evaluator = Evaluator(encoder, facts, ProbeMaker(facts, PROMPTS), PROBE_KINDS)
    run = Run(
        copy.deepcopy(model), encoder, method, roles["forget"][:6], roles["retain"][:6],
        UnlearnSettings.model_validate({"steps": 2, "batch_size": 4, **watched}), PROMPTS,
        controls=Controls(roles["utility"][:4], never_seen),
        evaluate=lambda model, _step, last: evaluator.run(model) if last else None,
    )  # fmt: skip
    unlearn(run)
    assert len(texts) > 50
    assert texts.pop("a", 0) <= 2  # without and with special tokens
    assert set(texts.values()) == {1}, texts.most_common(3)
