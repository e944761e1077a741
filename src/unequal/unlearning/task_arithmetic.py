"""Task arithmetic: parameters interpolated from the starting model to what a weight method makes of it."""

from collections.abc import Iterator

import torch

from unequal.unlearning.method_kinds import WeightMethod
from unequal.unlearning.reference_scores import reinforced
from unequal.unlearning.run import Run


def interpolate(run: Run, method: WeightMethod) -> Iterator[int]:
    """Yield each evaluated step k of n once the run's model, changed in place, stands at k/n of the way."""
    answers = run.encoder.own_answers(run.forget)
    with reinforced(
        run.model, answers, run.encoder.padding, run.seed, method.rounds, method.learning_rate
    ) as copied:
        tuned = {name: one.detach().clone() for name, one in copied.named_parameters()}
    start = {name: one.detach().clone() for name, one in run.model.named_parameters()}
    for step in run.settings.evaluated_steps():
        with torch.no_grad():
            for name, parameter in run.model.named_parameters():
                parameter.copy_(method.weight(start[name], tuned[name], step / run.settings.steps))
        yield step
