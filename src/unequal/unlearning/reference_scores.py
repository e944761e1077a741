"""What is worked out once before a run: scores under frozen models, wrong answers, counts."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from unequal.errors import DataError
from unequal.facts.names import without
from unequal.facts.probes import PromptFormat
from unequal.facts.problems import shown
from unequal.facts.schema import Fact
from unequal.models.distributed import n_processes
from unequal.models.fsdp import is_sharded
from unequal.models.precision import differentiate
from unequal.models.quantised import dequantise
from unequal.models.scratch_copy import copy_of
from unequal.seeds import random_stream
from unequal.unlearning.examples import Example, answer_row, score_in_batches, score_rows
from unequal.unlearning.method import Method, Need, TokenScores

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CONTEXTS: dict[Need, str] = {
    "novice": "The following is answered by someone who has never heard of it.\n",
    "expert": "The following is answered by an expert on it.\n",
}
"""What stands before the question where the starting model is told what it knows (ELM's contrast)."""


@dataclass
class ReferenceScores:
    """Scores that do not change during a run, one a fact; empty where the method does not need them."""

    answers: dict[str, list[TokenScores]] = field(default_factory=dict)
    """By name: the answers to forget under ``reference``, ``reinforced``, ``novice`` and ``expert``, and
    ``alternative_reference``."""
    refusals: list[list[TokenScores]] = field(default_factory=list)
    """Every refusal of each fact under the starting model."""
    alternatives: list[Example] = field(default_factory=list)
    retain: list[TokenScores] = field(default_factory=list)
    retain_loss: float = 0.0
    """The mean loss of all retain items at the start."""
    popularity: Tensor | None = None


def precompute(
    model: PreTrainedModel,
    tokenizer: "PreTrainedTokenizerBase",
    method: Method,
    forget: Sequence[Fact],
    prompts: PromptFormat,
    seed: int,
    answers: Sequence[Example],
    refusals: Sequence[Sequence[Example]],
    retain: Sequence[Example],
) -> ReferenceScores:
    """Return what the method needs of frozen models; raises `DataError` for facts that lack what it needs."""
    padding = int(tokenizer.pad_token_id)
    needs, whole = (method.needs if method.forget_weight else frozenset()), method.whole
    frozen = ReferenceScores()

    def score(name: str, rows: Sequence[Example], of: PreTrainedModel = model) -> list[TokenScores]:
        return score_in_batches(of, rows, padding, name in whole)

    if "reference" in needs:
        frozen.answers["reference"] = score("reference", answers)
    for name in sorted(needs & CONTEXTS.keys()):
        told = [answer_row(tokenizer, prompts, f, f.answer, end=False, before=CONTEXTS[name]) for f in forget]
        frozen.answers[name] = score(name, told)
    if "reinforced" in needs:
        with reinforced(model, answers, padding, seed) as told:
            frozen.answers["reinforced"] = score("reinforced", answers, told)
    if "refusal_reference" in needs:
        frozen.refusals = [score("refusal_reference", rows) for rows in refusals]
    if "alternative" in needs:
        frozen.alternatives = alternative_rows(model, tokenizer, forget, prompts, seed)
    if "alternative_reference" in needs:
        frozen.answers["alternative_reference"] = score("alternative_reference", frozen.alternatives)
    if "popularity" in needs:
        frozen.popularity = popularity(forget)
    _freeze_retain(frozen, model, method, retain, padding)
    return frozen


def _freeze_retain(
    frozen: ReferenceScores, model: PreTrainedModel, method: Method, retain: Sequence[Example], padding: int
) -> None:
    """Add what the retain term and a retain weight that learns compare with."""
    from_start = method.retain_loss in ("kl", "jsd")
    if retain and (from_start or method.dual):
        frozen.retain = score_in_batches(model, retain, padding, whole=from_start)
        if method.retain_loss == "nll":  # divergences from the start are 0 at the start
            frozen.retain_loss = sum(one.mean_nll.item() for one in frozen.retain) / len(frozen.retain)


def popularity(facts: Sequence[Fact]) -> Tensor:
    """Return how often each fact occurs, ``(facts,)``: its ``popularity``, ``count`` or ``exposure``."""
    values = []
    for fact in facts:
        extra = (fact.model_extra or {}).get("popularity")
        value = next((v for v in (extra, fact.count, fact.exposure) if v is not None), None)
        if value is None:
            raise DataError(
                f"fact '{fact.fact_id}' has no popularity, count or exposure, which the method needs;"
                " add a column count, for example with unequal count and unequal facts bucket"
            )
        values.append(_number(fact, value))
    return torch.tensor(values)


def _number(fact: Fact, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(
            f"fact '{fact.fact_id}': column popularity: found {shown(value)}; the method needs a number"
            " there, or no such column but count or exposure"
        ) from error


def alternative_rows(
    model: PreTrainedModel,
    tokenizer: "PreTrainedTokenizerBase",
    facts: Sequence[Fact],
    prompts: PromptFormat,
    seed: int,
) -> list[Example]:
    """Return the question of each fact with a plausible wrong answer: the one that the model finds likeliest.

    The candidates are the fact's distractors, or else up to eight other answers of its relation.
    """
    padding = int(tokenizer.pad_token_id)
    found = []
    for fact in facts:
        answers = sorted({f.answer for f in facts if f.relation == fact.relation})
        others = without(answers, fact.answer, *fact.answer_aliases, *fact.object_aliases)
        drawn = random_stream(seed, "alternative", fact.fact_id).sample(others, min(8, len(others)))
        candidates = list(fact.distractors) or drawn
        if not candidates:
            raise DataError(f"fact '{fact.fact_id}' has no distractors and no other answer of its relation")
        rows = [answer_row(tokenizer, prompts, fact, text, end=True) for text in candidates]
        scores = score_in_batches(model, rows, padding)
        best = min(range(len(rows)), key=lambda index: scores[index].mean_nll.item())
        found.append(rows[best])
    return found


@contextmanager
def reinforced(
    model: PreTrainedModel,
    answers: Sequence[Example],
    padding: int,
    seed: int,
    rounds: int = 5,
    learning_rate: float = 1e-4,
) -> Iterator[PreTrainedModel]:
    """Yield a copy of the model that was trained on the answers for some rounds with AdamW."""
    with copy_of(model) as copied:
        dequantise(copied)  # all its weights are trained
        optimiser = torch.optim.AdamW(copied.parameters(), lr=learning_rate)
        copied.train()
        for number in range(rounds):
            order = random_stream(seed, "reinforce", number).sample(range(len(answers)), len(answers))
            for start in range(0, len(order), 32):
                rows = [answers[index] for index in order[start : start + 32]]
                loss = score_rows(copied, rows, padding).mean_nll.mean()
                # Every process has the same rows; those of a sharded model add up their gradients.
                differentiate(loss / n_processes() if is_sharded(copied) else loss)
                optimiser.step()
                optimiser.zero_grad()
        yield copied.eval()
