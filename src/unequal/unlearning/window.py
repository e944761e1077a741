"""Whether everything that a run trains on fits into the model's window, asked before any of it is trained."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from transformers import PreTrainedModel

from unequal.errors import DataError
from unequal.facts.probes import PromptFormat
from unequal.facts.refusals import REFUSALS
from unequal.facts.schema import Fact
from unequal.scoring.encoding import encode
from unequal.unlearning.method import Method
from unequal.unlearning.reference_scores import CONTEXTS
from unequal.unlearning.targets import Controls

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def window_of(model: PreTrainedModel) -> int | None:
    """Return how many tokens the model's window has, None without bound."""
    window: int | None = getattr(model.config, "max_position_embeddings", None)
    return window if window and window > 0 else None  # some write -1


def check_training_fits(
    model: PreTrainedModel,
    tokenizer: "PreTrainedTokenizerBase",
    method: Method,
    forget: Sequence[Fact],
    retain: Sequence[Fact],
    controls: Controls,
    prompts: PromptFormat,
) -> None:
    """Raise `DataError` for a fact whose question, with any answer it is trained with, is too long."""
    refusals = REFUSALS if "refusal" in method.needs else ()
    alternative = "alternative" in method.needs
    contexts = ("", *(CONTEXTS[name] for name in sorted(method.needs & CONTEXTS.keys())))
    for fact in forget:
        for context in contexts:
            check_fits(model, tokenizer, prompts, fact, [fact.answer], end=False, before=context)
        if others := [*refusals, *(fact.distractors if alternative else ())]:
            check_fits(model, tokenizer, prompts, fact, others)
    declined = REFUSALS if method.retain_loss == "preference" else ()
    if method.retain_weight > 0 or method.dual:
        for fact in retain:
            check_fits(model, tokenizer, prompts, fact, (fact.answer, *declined))
    for fact in (*controls.utility, *controls.never_seen):
        check_fits(model, tokenizer, prompts, fact, [fact.answer], end=False)


def check_fits(
    model: PreTrainedModel,
    tokenizer: "PreTrainedTokenizerBase",
    prompts: PromptFormat,
    fact: Fact,
    answers: Sequence[str],
    end: bool = True,
    before: str = "",
) -> None:
    """Raise `DataError` when a fact's question with one of the answers is longer than the model's window.

    With ``end`` what ends an answer is part of it; the last token is predicted and needs no room.
    """
    window = window_of(model)
    if window is None:
        return
    encoded = encode(tokenizer, before + prompts.ask(fact.question), list(answers), end, prompts.around)
    longest = len(encoded.prompt) + max(map(len, encoded.continuations))
    if longest - end > window:
        role = f" of the role {fact.role}" if fact.role else ""
        raise DataError(
            f"fact '{fact.fact_id}'{role} has {longest} tokens with its answer, but the model's window has"
            f" {window}; shorten its question and answers, or leave the fact out"
        )
