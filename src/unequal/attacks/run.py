"""Attacks on an unlearned model: its scores as it is, and what each attack gets out of it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl
from transformers import PreTrainedModel

from unequal.attacks.attack import ANSWER_METRICS, Attack, AttackContext, check_kept, run_attacks
from unequal.evaluation.evaluate import PROMPTS, Tables, evaluate
from unequal.facts.probes import ProbeMaker, PromptFormat
from unequal.facts.roles import FactsByRole
from unequal.models.compute_settings import Precision
from unequal.models.precision import computing_in
from unequal.progress import Progress, no_progress, split_progress

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def attack(
    model: PreTrainedModel,
    tokenizer: "PreTrainedTokenizerBase",
    facts: FactsByRole,
    attacks: Sequence[Attack],
    prompts: PromptFormat = PROMPTS,
    *,
    n_wordings: int = 2,
    seed: int = 0,
    precision: Precision = "fp32",
    progress: Progress = no_progress,
) -> Tables:
    """Return the scores of the model as it is and of each attack, of facts to forget and never-seen ones.

    Facts of the other roles are what an attacker may know. Raises `DataError` when an attack needs some and
    there are none.
    """
    check_kept(attacks, facts.all)
    maker = ProbeMaker(facts.all, prompts, n_wordings)
    context = AttackContext(model, tokenizer, facts.all, maker, prompts, seed)
    of_plain, of_attacks = split_progress(progress, [1.0, sum(one.cost for one in attacks)])
    plain = evaluate(
        model, tokenizer, context.attacked, prompts, probes=["question"], n_wordings=n_wordings,
        metrics=ANSWER_METRICS, precision=precision, table=facts.all, progress=of_plain,
    )  # fmt: skip
    with computing_in(precision, model.device):
        found = run_attacks(attacks, context, of_attacks)
    return Tables(pl.concat([plain.scores, found]), plain.generations)
