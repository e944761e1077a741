"""Contract tests of a model family: its models are causal, are scored right, learn, and are saved whole."""

import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedModel

from unequal.facts.probes import ProbeMaker
from unequal.models.shapes import Family
from unequal.plugin_checks.contract import Check, require
from unequal.plugin_checks.people import PROMPTS, SHAPE, people, tokenizer, vocabulary
from unequal.scoring.encoding import Encoder, encode_probe
from unequal.scoring.log_probs import log_probs
from unequal.training.loop import LoopSettings, run_steps
from unequal.training.settings import OptimiserSettings
from unequal.unlearning.examples import FactEncoder, score_examples

TOLERANCE = 1e-3
STEPS = 20


@cache
def _model(family: Family, seed: int = 1) -> PreTrainedModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(family(SHAPE, vocabulary()), dtype=torch.float32)
    return model.eval()


def has_the_shape(family: Family) -> None:
    """Check that the configuration has the vocabulary, the window and the special tokens that it is given."""
    config, wanted = family(SHAPE, vocabulary()), vocabulary()
    require(config.vocab_size == wanted.size, f"vocab_size is {config.vocab_size}; take vocabulary.size")
    require(config.eos_token_id == wanted.end_token_id, "eos_token_id must be vocabulary.end_token_id")
    require(
        config.pad_token_id == wanted.padding_token_id, "pad_token_id must be vocabulary.padding_token_id"
    )
    n_weights = _model(family).num_parameters()
    about = SHAPE.n_weights(wanted.size)
    require(
        about / 2 < n_weights < about * 2,
        f"a model has {n_weights} parameters; the shape asks for about {about}",
    )


@torch.no_grad()
def is_causal(family: Family) -> None:
    """Check that later tokens do not change the logits of earlier ones."""
    ids = torch.arange(12)[None] % vocabulary().size
    whole, part = (_model(family)(input_ids=one).logits[0, :6] for one in (ids, ids[:, :6]))
    require(whole.isfinite().all(), "its logits are not finite")
    require(
        torch.allclose(whole, part, atol=TOLERANCE), "later tokens change earlier logits; it must be causal"
    )


@torch.no_grad()
def is_scored_right(family: Family) -> None:
    """Check that batched scores are those of plain forward passes, one answer at a time."""
    maker, model = ProbeMaker(people(), PROMPTS, 1), _model(family)
    asked = [probe for fact in people()[:3] for probe in maker.probes(fact, ("question", "cloze"))]
    for probe, score in zip(asked, log_probs(model, tokenizer(), asked), strict=True):
        item = encode_probe(Encoder(tokenizer()), probe)
        answers = [score.right, *score.wrong]
        for answer, ids in zip(answers, item.continuations, strict=True):
            logits = model(input_ids=torch.tensor([item.prompt + ids])).logits[0].double().log_softmax(-1)
            start = len(item.prompt) - 1
            plain = [logits[start + place, token].item() for place, token in enumerate(ids)]
            close = np.allclose(plain, answer.log_probs, atol=TOLERANCE)
            require(
                close, "batched scores differ from plain forward passes; is attention_mask or cache unusual?"
            )


def learns(family: Family) -> None:
    """Check that the loss falls when some answers are trained on."""
    model = _model.__wrapped__(family)
    examples = FactEncoder(tokenizer(), PROMPTS).own_answers(people()[:8], end=True)
    seen: list[float] = []

    def losses(_step: int) -> Iterator[Tensor]:
        yield score_examples(model, examples, vocabulary().padding_token_id).mean_nll.mean()

    settings = LoopSettings(STEPS, OptimiserSettings(learning_rate=1e-2))
    run_steps(model, losses, settings, lambda done, loss: seen.append(loss) if done else None)
    require(
        seen[-1] < 0.8 * seen[0],
        f"the loss goes from {seen[0]:.2f} to {seen[-1]:.2f} in {STEPS} steps; it should fall",
    )


@torch.no_grad()
def is_saved_whole(family: Family) -> None:
    """Check that a saved model comes back with the same logits."""
    ids = torch.arange(8)[None] % vocabulary().size
    with tempfile.TemporaryDirectory() as folder:
        _model(family).save_pretrained(Path(folder))
        again = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    same = torch.allclose(_model(family)(input_ids=ids).logits, again(input_ids=ids).logits, atol=1e-5)
    require(same, "a saved model has other logits; does transformers know its class (AutoModelForCausalLM)?")


FAMILY_CHECKS = (
    Check("a model has the vocabulary and about the size asked for", has_the_shape),
    Check("it is causal", is_causal),
    Check("it is scored as by plain forward passes", is_scored_right),
    Check("it learns", learns),
    Check("it is saved and loaded whole", is_saved_whole),
)
