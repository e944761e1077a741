"""The objective of methods that score answers: one forward pass a micro-batch, for all terms of the loss."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from unequal.facts.refusals import REFUSALS
from unequal.facts.schema import Fact
from unequal.models.distributed import sum_over_processes
from unequal.models.fsdp import is_sharded
from unequal.seeds import random_stream
from unequal.unlearning.examples import Example, score_groups, stack
from unequal.unlearning.method import ForgetScores, TokenScores
from unequal.unlearning.micro_batches import MicroBatch
from unequal.unlearning.objective import Objective
from unequal.unlearning.reference_scores import ReferenceScores, precompute
from unequal.unlearning.retain import retain_losses
from unequal.unlearning.run import Run

FORGET, REFUSAL, ALTERNATIVE, QUESTION, RETAIN, DECLINED = (
    "forget",
    "refusal",
    "alternative",
    "question",
    "retain",
    "declined",
)

NO_ANSWERS = TokenScores(torch.zeros(0, 0), torch.zeros(0, 0, dtype=torch.bool))


class AnswerObjective(Objective):
    """Total loss γ·Σ L_forget + α·mean L_retain + λ·mean L_question of each step.

    Alternatives and refusals end as answers do. Scores under frozen models are computed once. No pass is made
    for a term or a fact of weight 0, nor over answers that the method does not look at.
    """

    def __init__(self, run: Run, weights: Sequence[float] | None = None) -> None:
        super().__init__(run, weights)
        method = self._method
        self._declined: list[list[Example]] = []
        if self._retain and method.retain_loss == "preference":
            self._declined = [_refusals(run, fact) for fact in run.retain]
        self._refusals: list[list[Example]] = []
        if "refusal" in method.needs:
            self._refusals = [_refusals(run, fact) for fact in self.weights.facts]
        self._frozen: ReferenceScores = precompute(
            run, self.weights.facts, self._forget, self._refusals, self._retain
        )
        self._multiplier = method.dual.start if method.dual else method.retain_weight
        self._retain_loss = torch.zeros((), device=run.model.device)

    def loss(self, step: int, batch: MicroBatch, forget: bool = True, keep: bool = True) -> Tensor:
        """Return the loss of a micro-batch: its forget term if ``forget``, and the others if ``keep``."""
        method = self._method
        asked = self._pulling(batch) if forget and method.forget_weight else []
        questioned = batch.forget if method.question_weight and keep else []
        retained = batch.retain if keep else []
        groups = self._groups(step, asked, questioned, retained)
        total = torch.zeros((), device=self._model.device)
        if not groups and is_sharded(self._model):  # all processes must make as many passes
            example = next(iter([*self._forget, *self._retain]))
            return total + 0 * score_groups(self._model, {"": [example]}, self._padding)[""].log_probs.sum()
        scored = self._score(groups)
        if asked:
            losses = method.forget_loss(self._forget_scores(step, asked, scored))
            total = total + self._forget_term(losses, batch)
        if questioned:
            mean = scored[QUESTION].mean_nll.mean()
            total = total + method.question_weight * len(questioned) / batch.n_forget * mean
        if retained:
            mean = len(retained) / batch.n_retain * self._retain_mean(retained, scored)
            self._retain_loss += mean.detach()
            total = total + self._multiplier * mean
        return total

    def _retain_mean(self, retained: Sequence[int], scored: Mapping[str, TokenScores]) -> Tensor:
        start = stack([self._frozen.retain[index] for index in retained]) if self._frozen.retain else None
        return retain_losses(self._method, scored[RETAIN], start, scored.get(DECLINED)).mean()

    def after_step(self, step: int, n_steps: int) -> None:
        """Update a retain weight that learns by the step that was just done."""
        if self._method.dual and self._retain:
            sum_over_processes([self._retain_loss])
            self._multiplier = self._method.dual.after(
                self._multiplier, self._retain_loss.item(), self._frozen.retain_loss, (step + 1) / n_steps
            )
        self._retain_loss.zero_()

    def state(self) -> dict[str, Tensor]:
        """Return the retain weight, which may learn, as a tensor by name."""
        return {"multiplier": torch.tensor(self._multiplier, dtype=torch.float64)}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take up the retain weight of an interrupted run."""
        self._multiplier = state["multiplier"].item()

    def _groups(
        self, step: int, asked: Sequence[int], questioned: Sequence[int], retained: Sequence[int]
    ) -> dict[str, list[Example]]:
        """Return the examples of a micro-batch by what they are for, without empty groups."""
        groups = {
            FORGET: [self._forget[index] for index in asked if self._method.scores_answers],
            REFUSAL: [self._refusals[index][self._pick(step, index)] for index in asked if self._refusals],
            ALTERNATIVE: [self._frozen.alternatives[index] for index in asked if self._frozen.alternatives],
            QUESTION: [self._forget[index].of_prompt() for index in questioned],
            RETAIN: [self._retain[index] for index in retained],
            DECLINED: [
                self._declined[index][self._pick(step, index)] for index in retained if self._declined
            ],
        }
        return {name: examples for name, examples in groups.items() if examples}

    def _score(self, groups: Mapping[str, Sequence[Example]]) -> dict[str, TokenScores]:
        """Return the scores of every group, from one pass over all of them."""
        whole = {FORGET if name == "policy" else name for name in self._method.whole}
        if self._method.retain_loss in ("kl", "jsd"):
            whole.add(RETAIN)
        return score_groups(self._model, groups, self._padding, whole) if groups else {}

    def _forget_scores(
        self, step: int, forget: Sequence[int], scored: Mapping[str, TokenScores]
    ) -> ForgetScores:
        frozen = {name: stack([scores[i] for i in forget]) for name, scores in self._frozen.answers.items()}
        if self._frozen.refusals:
            picked = [self._frozen.refusals[index][self._pick(step, index)] for index in forget]
            frozen["refusal_reference"] = stack(picked)
        now = {name: scored[name] for name in (REFUSAL, ALTERNATIVE) if name in scored}
        popularity = self._frozen.popularity
        return ForgetScores(
            policy=scored.get(FORGET, NO_ANSWERS),
            popularity=None if popularity is None else popularity[forget].to(self._model.device),
            factors=self.weights.factors(forget),
            **frozen,
            **now,
        )

    def _pick(self, step: int, index: int) -> int:
        return random_stream(self._seed, "refusal", step, index).randrange(len(REFUSALS))


def _refusals(run: Run, fact: Fact) -> list[Example]:
    return [run.encoder.answer(fact, text, end=True, is_sentence=True) for text in REFUSALS]
