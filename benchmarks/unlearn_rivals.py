"""The conventional loops: a Trainer with a frozen copy of the model, as open code has it, or leaner.

A module of its own, so that only their processes load the Trainer and what comes with it.
"""

import copy
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, logsigmoid, pad
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel, Trainer, TrainingArguments

from unequal.unlearning.examples import Example
from unlearn_material import Loop, Run, Steps

Batch = dict[str, dict[str, Tensor]]


def collate(padding: int) -> Callable[[Sequence[dict[str, Example]]], Batch]:
    """Return a collator that pads on the right, with attention mask, and labels at answers only."""

    def padded(rows: Sequence[Example]) -> dict[str, Tensor]:
        ids = [torch.tensor(row.ids) for row in rows]
        labels = [torch.tensor([-100] * row.span[0] + row.ids[row.span[0] :]) for row in rows]
        return {
            "input_ids": pad_sequence(ids, batch_first=True, padding_value=padding),
            "attention_mask": pad_sequence([torch.ones_like(row) for row in ids], batch_first=True),
            "labels": pad_sequence(labels, batch_first=True, padding_value=-100),
        }

    return lambda items: {name: padded([item[name] for item in items]) for name in ("forget", "retain")}


def open_nll(model: PreTrainedModel, inputs: dict[str, Tensor]) -> Tensor:
    """Return each answer's negative log-probability ``(batch,)``, step by step as open-unlearning does.

    Given labels, the model works out a loss of its own on the way, which nobody uses.
    """
    logits = model(**inputs).logits[..., :-1, :].contiguous()
    targets = inputs["labels"][..., 1:].contiguous()
    return cross_entropy(logits.transpose(-1, -2), targets, ignore_index=-100, reduction="none").sum(-1)


def lean_nll(model: PreTrainedModel, inputs: dict[str, Tensor]) -> Tensor:
    """Return the same, worked out as transformers does its own loss: logits are not copied."""
    logits = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]).logits
    targets = pad(inputs["labels"], (0, 1), value=-100)[:, 1:]
    losses = cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-100, reduction="none")
    return losses.view(targets.shape).sum(-1)


class NPOTrainer(Trainer):  # type: ignore[misc]
    """NPO with a retain term as open code has it, or ``lean``."""

    def __init__(self, *arguments: Any, beta: float, lean: bool, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.beta = beta
        self.lean = lean
        self.reference = copy.deepcopy(self.model).eval().requires_grad_(False)
        self.losses: list[Tensor] = []
        self.ends: list[float] = []

    def compute_loss(self, model: PreTrainedModel, inputs: Batch, *_args: Any, **_settings: Any) -> Tensor:
        """Return the loss of a step."""
        forget, retain = inputs["forget"], inputs["retain"]
        score = lean_nll if self.lean else open_nll
        nll = score(model, forget)
        with torch.no_grad():
            reference_nll = score(self.reference, forget)
        forget_loss = -2 / self.beta * logsigmoid(self.beta * (nll - reference_nll)).mean()
        n_tokens = (retain["labels"] != -100).sum(-1)
        loss = forget_loss + (lean_nll(model, retain) / n_tokens).mean()
        self.losses.append(loss.detach())
        return loss

    def training_step(self, *arguments: Any, **settings: Any) -> Tensor:
        """Return the loss of a step, with the time noted at which the one before had ended."""
        self.ends.append(time.perf_counter())
        loss: Tensor = super().training_step(*arguments, **settings)
        return loss


def run_trainer(loop: Loop, lean: bool) -> Run:
    """Train in place with the Trainer; the seconds are those of ``train()`` alone."""
    optimiser = loop.settings.optimiser(loop.method.learning_rate)
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder, per_device_train_batch_size=loop.settings.batch_size,
            max_steps=loop.settings.steps, learning_rate=optimiser.learning_rate,
            lr_scheduler_type="constant", warmup_steps=0, weight_decay=optimiser.weight_decay,
            adam_beta1=optimiser.beta1, adam_beta2=optimiser.beta2, max_grad_norm=optimiser.clip_norm,
            optim="adamw_torch_fused", use_cpu=not loop.on_gpu, report_to=[], save_strategy="no",
            logging_strategy="no", disable_tqdm=True, remove_unused_columns=False,
            train_sampling_strategy="sequential",
        )  # fmt: skip
        trainer = NPOTrainer(
            model=loop.model, args=arguments, train_dataset=Steps(loop),
            data_collator=collate(int(loop.tokenizer.pad_token_id)), beta=loop.method.beta, lean=lean,
        )  # fmt: skip
        started, cpu_started = time.perf_counter(), time.process_time()
        trainer.train()
        ended, cpu_seconds = time.perf_counter(), time.process_time() - cpu_started
    losses = [loss.item() for loss in trainer.losses]
    return Run(ended - started, cpu_seconds, [*trainer.ends, ended], losses)
