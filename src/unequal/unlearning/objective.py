"""The objective around every method: batches, one forward pass, weights, the retain and question terms."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import Parameter
from transformers import PreTrainedModel

from unequal.facts.probes import PromptFormat
from unequal.facts.refusals import REFUSALS
from unequal.facts.schema import Fact
from unequal.models.distributed import sum_over_processes
from unequal.models.fsdp import is_sharded
from unequal.seeds import random_stream
from unequal.unlearning.examples import Example, answer_row, score_groups, stack
from unequal.unlearning.fact_weights import FactWeights
from unequal.unlearning.method import ForgetScores, Method, TokenScores
from unequal.unlearning.micro_batches import Share, Shares, names_at
from unequal.unlearning.reference_scores import ReferenceScores, precompute
from unequal.unlearning.retain import retain_losses
from unequal.unlearning.weighting import ActsOn

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

FORGET, REFUSAL, ALTERNATIVE, QUESTION, RETAIN, DECLINED = (
    "forget",
    "refusal",
    "alternative",
    "question",
    "retain",
    "declined",
)

NO_ANSWERS = TokenScores(torch.zeros(0, 0), torch.zeros(0, 0, dtype=torch.bool))


class Objective:
    """Total loss γ·Σ L_forget + α·mean L_retain + λ·mean L_question of each step.

    Answers to forget are scored without an end of text; retain answers, alternatives and refusals with it, so
    that the model goes on ending its answers. What frozen models find is computed once. No pass
    is made for a term or a fact of weight 0, nor over answers that the method does not look at.
    ``weights`` are one a fact to forget (all 1 by default); a fact of weight 0 is left out (`FactWeights`).
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: "PreTrainedTokenizerBase",
        method: Method,
        forget: Sequence[Fact],
        retain: Sequence[Fact],
        prompts: PromptFormat,
        batch_size: int,
        seed: int,
        weights: Sequence[float] | None = None,
        acts_on: ActsOn = "loss",
        micro_batch: int | None = None,
    ) -> None:
        self.weights = FactWeights(forget, weights, acts_on)
        forget = self.weights.facts
        self._model = model
        self._method = method
        self._padding = int(tokenizer.pad_token_id)
        self._seed = seed
        self._forget = [answer_row(tokenizer, prompts, fact, fact.answer, end=False) for fact in forget]
        self._retain: list[Example] = []
        if method.retain_weight > 0 or method.dual:
            self._retain = [answer_row(tokenizer, prompts, fact, fact.answer, end=True) for fact in retain]
        kept = retain if self._retain else ()
        self._names = ([fact.fact_id for fact in forget], [fact.fact_id for fact in kept])
        self._declined: list[list[Example]] = []
        if self._retain and method.retain_loss == "preference":
            self._declined = [_refusals(tokenizer, prompts, fact) for fact in retain]
        self._refusals: list[list[Example]] = []
        if "refusal" in method.needs:
            self._refusals = [_refusals(tokenizer, prompts, fact) for fact in forget]
        self._frozen: ReferenceScores = precompute(
            model, tokenizer, method, forget, prompts, seed, self._forget, self._refusals, self._retain
        )
        self._shares = Shares(
            self._forget if method.forget_weight or method.question_weight else [],
            self._retain, batch_size, seed, self.weights.draws, micro_batch,
        )  # fmt: skip
        self._multiplier = method.dual.start if method.dual else method.retain_weight
        self._retain_loss = torch.zeros((), device=model.device)

    def losses(self, step: int) -> Iterator[Tensor]:
        """Yield what each of this process's shares adds to the loss of a step."""
        for share in self._shares.at(step):
            yield self.loss(step, share)

    def batch_of(self, step: int) -> list[str]:
        """Return the ids of the facts that a step sees, those to forget first."""
        return names_at(self._shares.drawn(step), self._names)

    def loss(self, step: int, share: Share, forget: bool = True, keep: bool = True) -> Tensor:
        """Return what a share adds to the loss of a step: its forget term, and the others if ``keep``."""
        method = self._method
        weights = self.weights.of(share.forget)
        asked = [index for index, weight in zip(share.forget, weights, strict=True) if weight]
        if not (forget and method.forget_weight):
            asked = []
        questioned = share.forget if method.question_weight and keep else []
        retained = share.retain if keep else []
        groups = self._groups(step, asked, questioned, retained)
        total = torch.zeros((), device=self._model.device)
        if not groups and is_sharded(self._model):  # all processes must make as many passes
            row = next(iter([*self._forget, *self._retain]))
            return total + 0 * score_groups(self._model, {"": [row]}, self._padding)[""].log_probs.sum()
        scored = self._score(groups)
        if asked:
            per_fact = method.forget_loss(self._forget_scores(step, asked, scored))
            mean = method.reduce(per_fact, weights[weights != 0].to(per_fact))
            total = total + method.forget_weight * len(asked) / share.n_forget * mean
        if questioned:
            mean = scored[QUESTION].mean_nll.mean()
            total = total + method.question_weight * len(questioned) / share.n_forget * mean
        if retained:
            mean = len(retained) / share.n_retain * self._retain_mean(retained, scored)
            self._retain_loss += mean.detach()
            total = total + self._multiplier * mean
        return total

    def _retain_mean(self, retained: Sequence[int], scored: Mapping[str, TokenScores]) -> Tensor:
        start = stack([self._frozen.retain[index] for index in retained]) if self._frozen.retain else None
        return retain_losses(self._method, scored[RETAIN], start, scored.get(DECLINED)).mean()

    @property
    def trained(self) -> list[Parameter]:
        """The weights that a run changes."""
        return [weight for weight in self._model.parameters() if weight.requires_grad]

    def after_step(self, step: int, n_steps: int) -> None:
        """Let a retain weight that learns take in the step that was just done."""
        if self._method.dual and self._retain:
            sum_over_processes([self._retain_loss])
            self._multiplier = self._method.dual.after(
                self._multiplier, self._retain_loss.item(), self._frozen.retain_loss, (step + 1) / n_steps
            )
        self._retain_loss.zero_()

    def state(self) -> dict[str, Tensor]:
        """Return what changes during a run besides the model, as tensors by name."""
        return {"multiplier": torch.tensor(self._multiplier, dtype=torch.float64)}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take up again what an earlier objective had come to."""
        self._multiplier = state["multiplier"].item()

    def _groups(
        self, step: int, asked: Sequence[int], questioned: Sequence[int], retained: Sequence[int]
    ) -> dict[str, list[Example]]:
        """Return the rows of a share by what they are for; groups without rows are left out."""
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
        return {name: rows for name, rows in groups.items() if rows}

    def _score(self, groups: Mapping[str, Sequence[Example]]) -> dict[str, TokenScores]:
        """Return the scores of every group, from one pass over all of them."""
        whole = {FORGET if name == "policy" else name for name in self._method.whole}
        if self._method.retain_loss in ("kl", "jsd"):
            whole.add(RETAIN)
        return score_groups(self._model, groups, self._padding, whole) if groups else {}

    def _forget_scores(
        self, step: int, forget: Sequence[int], scored: Mapping[str, TokenScores]
    ) -> ForgetScores:
        frozen = {name: stack([rows[i] for i in forget]) for name, rows in self._frozen.answers.items()}
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


def _refusals(tokenizer: "PreTrainedTokenizerBase", prompts: PromptFormat, fact: Fact) -> list[Example]:
    return [answer_row(tokenizer, prompts, fact, text, end=True) for text in REFUSALS]
