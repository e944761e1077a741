"""A tiny model taught questions and answers in a few seconds, for tests that need knowledge."""

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import PreTrainedModel

from tiny_world import PROMPTS, vocabulary_of
from unequal.facts.schema import Fact
from unequal.models.load import scratch_model
from unequal.models.shapes import ModelSettings, Shape
from unequal.scoring.logits import pad_rows

SHAPE = Shape(width=64, layers=2, heads=4)


def texts_of(facts: Sequence[Fact]) -> list[str]:
    """Return each fact as a question with its answer, in all wordings, and as statements."""
    asked = [(PROMPTS.ask(text), fact) for fact in facts for text in (fact.question, *fact.paraphrases)]
    stated = [(prefix, fact) for fact in facts for prefix in fact.cloze]
    return [f"{prompt} {fact.answer}" for prompt, fact in (*asked, *stated)]


def taught_model(
    corpus: Path, tokenizer, facts: Sequence[Fact], steps: int, rate: float = 3e-3, batch: int = 64
) -> PreTrainedModel:
    """Return a new model after some steps on random batches of the facts' texts."""
    model = scratch_model(
        ModelSettings(family="gpt2", size="tiny", shape=SHAPE), vocabulary_of(corpus), seed=1
    )
    return teach(model, tokenizer, texts_of(facts), steps, rate, batch)


def teach(
    model: PreTrainedModel, tokenizer, texts: Sequence[str], steps: int, rate: float = 3e-3, batch: int = 64
) -> PreTrainedModel:
    """Return the model, in evaluation mode, after some steps of AdamW on random batches of the texts."""
    rows = [[*tokenizer(text)["input_ids"], tokenizer.eos_token_id] for text in texts]
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.0)
    stream = torch.Generator().manual_seed(0)
    model.train()
    for _ in range(steps):
        chosen = [rows[i] for i in torch.randint(len(rows), (batch,), generator=stream).tolist()]
        ids = pad_rows(chosen, -100, model.device)
        loss = model(input_ids=ids.clamp(min=0), labels=ids).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model.eval()
