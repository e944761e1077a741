"""Trials of learning rates: short unlearning runs on copies of a model, looked at along the way."""

from collections.abc import Sequence
from dataclasses import replace

from transformers import PreTrainedModel

from unequal.errors import DivergedError
from unequal.facts.schema import Fact
from unequal.models.scratch_copy import copy_of
from unequal.unlearning.examples import answer_probabilities
from unequal.unlearning.run import Run
from unequal.unlearning.search import Look, Trial
from unequal.unlearning.unlearn import unlearn


def try_rate(run: Run, utility: Sequence[Fact], rate: float, steps: int) -> Trial:
    """Return a trial of a learning rate on a copy of the run's model, which stays as it is.

    The trial looks at the probabilities of the answers to forget and of the untouched ``utility`` facts.
    """
    padding = run.tokenizer.padding
    examples = [run.encoder.own_answers(facts, end=False) for facts in (run.forget, utility)]
    looks: list[Look] = []

    def evaluate(model: PreTrainedModel, step: int, _last: bool) -> None:
        looks.append(
            Look(step, *(answer_probabilities(model, one, padding).mean().item() for one in examples))
        )

    try:
        with copy_of(run.model) as model:
            method = run.method.model_copy(update={"learning_rate": rate})
            settings = run.settings.model_copy(update={"steps": steps})
            unlearn(replace(run, model=model, method=method, settings=settings, evaluate=evaluate))
    except DivergedError:
        return Trial(rate, steps, tuple(looks), diverged=True, method=run.method.kind)
    return Trial(rate, steps, tuple(looks), method=run.method.kind)
