"""The objective around every method: batches, one forward pass, reduction, retain and question terms."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from transformers import PreTrainedModel

from unequal.facts.probes import PromptFormat
from unequal.facts.refusals import REFUSALS
from unequal.facts.schema import Fact
from unequal.seeds import random_stream
from unequal.unlearning.batches import BatchOrder
from unequal.unlearning.method import ForgetScores, Method
from unequal.unlearning.rows import Row, Scored, answer_row, score_in_batches, score_rows, stack

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Objective:
    """Total loss γ·mean L_forget + α·mean L_retain + λ·mean L_question of each step.

    Answers to forget are scored without an end of text; retain answers and refusals with it, so that the
    model goes on ending its answers. What the starting model finds is computed once, here.
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
    ) -> None:
        self._model = model
        self._method = method
        self._padding = int(tokenizer.pad_token_id)
        self._seed = seed
        self._forget_order = BatchOrder(len(forget), batch_size, seed, "forget")
        self._forget = [answer_row(tokenizer, prompts, fact, fact.answer, end=False) for fact in forget]
        self._reference: list[Scored] = []
        if "reference" in method.needs:
            self._reference = score_in_batches(model, self._forget, self._padding)
        self._refusals: list[list[Row]] = []
        if "refusal" in method.needs:
            self._refusals = [
                [answer_row(tokenizer, prompts, fact, text, end=True) for text in REFUSALS] for fact in forget
            ]
        self._retain: list[Row] = []
        if method.retain_weight > 0:
            self._retain = [answer_row(tokenizer, prompts, fact, fact.answer, end=True) for fact in retain]
            self._retain_order = BatchOrder(len(retain), batch_size, seed, "retain")
        self._retain_reference: list[Scored] = []
        if self._retain and method.retain_loss == "kl":
            self._retain_reference = score_in_batches(
                model, self._retain, self._padding, keep_distributions=True
            )

    def losses(self, step: int) -> Iterator[Tensor]:
        """Yield the loss of a step (one micro-batch)."""
        method = self._method
        forget = self._forget_order.at(step) if method.forget_weight or method.question_weight else []
        retain = self._retain_order.at(step) if self._retain else []
        groups = {
            "forget": [self._forget[index] for index in forget],
            "refusal": [self._refusals[index][self._pick(step, index)] for index in forget if self._refusals],
            "question": [self._forget[index].of_prompt() for index in forget if method.question_weight],
            "retain": [self._retain[index] for index in retain],
        }
        use_kl = bool(self._retain_reference)
        rows = [row for group in groups.values() for row in group]
        scored = score_rows(self._model, rows, self._padding, keep_distributions=use_kl)
        ends = dict(zip(groups, _running_ends(map(len, groups.values())), strict=True))
        parts = {name: scored.part(end - len(groups[name]), end) for name, end in ends.items()}
        total = torch.zeros((), device=self._model.device)
        if forget:
            reference = stack([self._reference[i] for i in forget]).tokens if self._reference else None
            refusal = parts["refusal"] if self._refusals else None
            per_fact = method.forget_loss(ForgetScores(parts["forget"], reference, refusal))
            total = total + method.forget_weight * per_fact.mean()
        if method.question_weight:
            total = total + method.question_weight * parts["question"].mean_nll.mean()
        if retain:
            per_item = self._retain_kl(scored, ends["retain"], retain) if use_kl else parts["retain"].mean_nll
            total = total + method.retain_weight * per_item.mean()
        yield total

    def _retain_kl(self, scored: Scored, end: int, retain: Sequence[int]) -> Tensor:
        """Return KL(p⁰‖p) per answer token of each retain item, ``(batch,)``, in nats."""
        reference = stack([self._retain_reference[index] for index in retain])
        n_tokens = reference.tokens.mask.shape[1]
        assert reference.distributions is not None and scored.distributions is not None  # noqa: S101
        start = reference.distributions
        now = scored.distributions[end - len(retain) : end, :n_tokens]
        per_token = (start.exp() * (start - now)).sum(-1) * reference.tokens.mask
        return per_token.sum(1) / reference.tokens.n_tokens

    def _pick(self, step: int, index: int) -> int:
        return random_stream(self._seed, "refusal", step, index).randrange(len(REFUSALS))


def _running_ends(lengths: Iterator[int]) -> Iterator[int]:
    end = 0
    for length in lengths:
        end += length
        yield end
