"""Context window: a check, before any training, that every example of a run fits into the model's window."""

from collections.abc import Sequence

from transformers import PreTrainedModel

from unequal.errors import ConfigError, DataError
from unequal.facts.refusals import REFUSALS
from unequal.facts.schema import Fact
from unequal.models.configuration import window_of
from unequal.unlearning.examples import FactEncoder
from unequal.unlearning.reference_scores import CONTEXTS
from unequal.unlearning.run import Run
from unequal.unlearning.targets import NO_CONTROLS


def check_training_fits(run: Run) -> None:
    """Raise `DataError` for a fact whose question, with any answer it is trained with, is too long."""
    model, method, encoder = run.model, run.method, run.encoder
    others = REFUSALS if "refusal" in method.needs else ()
    contexts = ("", *(CONTEXTS[name] for name in sorted(method.needs & CONTEXTS.keys())))
    for fact in run.forget:
        for context in contexts:
            check_fits(model, encoder, fact, [fact.answer], end=False, before=context)
        distractors = fact.distractors if "alternative" in method.needs else ()
        check_fits(model, encoder, fact, [*others, *distractors])
    declined = REFUSALS if method.retain_loss == "preference" else ()
    if method.retain_weight > 0 or method.dual:
        for fact in run.retain:
            check_fits(model, encoder, fact, (fact.answer, *declined))
    controls = run.controls if run.settings.stopping.is_set else NO_CONTROLS
    for fact in (*controls.utility, *controls.never_seen):
        check_fits(model, encoder, fact, [fact.answer], end=False)


def check_fits(
    model: PreTrainedModel,
    encoder: FactEncoder,
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
    longest = max((len(encoder.answer(fact, answer, end, before).ids) for answer in answers), default=0)
    if longest - end > window:
        role = f" of the role {fact.role}" if fact.role else ""
        raise DataError(
            f"fact '{fact.fact_id}'{role} has {longest} tokens with its answer, but the model's window has"
            f" {window}; shorten its question and answers, or leave the fact out"
        )


def check_prompts_fit(run: Run) -> None:
    """Raise `ConfigError` when the method's prefix makes a question and answer longer than the window."""
    prefix = run.method.prompt_prefix(run.forget)
    longest = max(len(example.ids) for example in run.encoder.own_answers(run.forget, before=prefix))
    window = window_of(run.model)
    if window and longest > window:
        raise ConfigError(
            f"with the prefix of method {run.method.kind} a question has {longest} tokens, but the model's"
            f" window has {window}; forget fewer facts, or set an instruction that does not name their"
            " subjects"
        )
