"""Reference scores: token scores under frozen models, wrong answers and counts, computed once a run."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from unequal.errors import DataError
from unequal.facts.names import without
from unequal.facts.problems import shown
from unequal.facts.schema import Fact
from unequal.models.distributed import n_processes
from unequal.models.fsdp import is_sharded
from unequal.models.precision import differentiate
from unequal.models.quantised import dequantise
from unequal.models.scratch_copy import copy_of
from unequal.seeds import random_stream
from unequal.unlearning.examples import Example, score_examples, score_in_batches
from unequal.unlearning.method import Need, TokenScores
from unequal.unlearning.run import Run

CONTEXTS: dict[Need, str] = {
    "novice": "The following is answered by someone who has never heard of it.\n",
    "expert": "The following is answered by an expert on it.\n",
}
"""Text before the question where the starting model is told what it knows (the contrast of ELM)."""


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
    run: Run,
    facts: Sequence[Fact],
    answers: Sequence[Example],
    refusals: Sequence[Sequence[Example]],
    retain: Sequence[Example],
) -> ReferenceScores:
    """Return what the method needs of frozen models; raises `DataError` for facts that lack what it needs.

    ``answers`` and ``refusals`` are those of the ``facts`` to forget.
    """
    method, padding = run.method, run.encoder.padding
    needs = method.needs if method.forget_weight else frozenset()
    frozen = ReferenceScores()

    def score(
        name: str, examples: Sequence[Example], model: PreTrainedModel = run.model
    ) -> list[TokenScores]:
        return score_in_batches(model, examples, padding, name in method.whole)

    if "reference" in needs:
        frozen.answers["reference"] = score("reference", answers)
    for name in sorted(needs & CONTEXTS.keys()):
        frozen.answers[name] = score(name, run.encoder.own_answers(facts, before=CONTEXTS[name]))
    if "reinforced" in needs:
        with reinforced(run.model, answers, padding, run.seed) as copied:
            frozen.answers["reinforced"] = score("reinforced", answers, copied)
    if "refusal_reference" in needs:
        frozen.refusals = [score("refusal_reference", examples) for examples in refusals]
    if "alternative" in needs:
        frozen.alternatives = alternatives(run, facts)
    if "alternative_reference" in needs:
        frozen.answers["alternative_reference"] = score("alternative_reference", frozen.alternatives)
    if "popularity" in needs:
        frozen.popularity = popularity(facts)
    _precompute_retain(frozen, run, retain)
    return frozen


def _precompute_retain(frozen: ReferenceScores, run: Run, retain: Sequence[Example]) -> None:
    """Add what the retain term and a retain weight that learns compare with."""
    from_start = run.method.retain_loss in ("kl", "jsd")
    if retain and (from_start or run.method.dual):
        frozen.retain = score_in_batches(run.model, retain, run.encoder.padding, whole=from_start)
        if run.method.retain_loss == "nll":  # divergences from the start are 0 at the start
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


def alternatives(run: Run, facts: Sequence[Fact]) -> list[Example]:
    """Return each fact's question with a plausible wrong answer: the one that the model finds likeliest.

    The candidates are the fact's distractors, or else up to eight other answers of its relation.
    """
    found = []
    for fact in facts:
        answers = sorted({f.answer for f in facts if f.relation == fact.relation})
        others = without(answers, fact.answer, *fact.answer_aliases, *fact.object_aliases)
        drawn = random_stream(run.seed, "alternative", fact.fact_id).sample(others, min(8, len(others)))
        candidates = list(fact.distractors) or drawn
        if not candidates:
            raise DataError(f"fact '{fact.fact_id}' has no distractors and no other answer of its relation")
        examples = [run.encoder.answer(fact, text, end=True) for text in candidates]
        scores = score_in_batches(run.model, examples, run.encoder.padding)
        best = min(range(len(examples)), key=lambda index: scores[index].mean_nll.item())
        found.append(examples[best])
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
                batch = [answers[index] for index in order[start : start + 32]]
                loss = score_examples(copied, batch, padding).mean_nll.mean()
                # Every process has the same batch; those of a sharded model add up their gradients.
                differentiate(loss / n_processes() if is_sharded(copied) else loss)
                optimiser.step()
                optimiser.zero_grad()
        yield copied.eval()
