"""Tokens per second of our pre-training loop against the Hugging Face Trainer, on the same work in one run.

Both train the same initial weights on the same windows in the same order, batch and micro-batch, with fused
AdamW, the same clipping, learning rate and schedule, without logging or saving. They take turns, so that
both meet the same machine; the ratio is the median over the pairs. Losses after training are compared: they
differ a little, since the Trainer divides by all labels and we by those that are predicted.

    python benchmarks/pretrain.py --out benchmarks/results/pretrain.json
"""

import argparse
import copy
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel, Trainer, TrainingArguments

from unequal.corpus.build import build_corpus
from unequal.corpus.settings import CorpusSettings
from unequal.corpus.shards import TokenWindows
from unequal.facts.probes import PromptFormat
from unequal.facts.world.world import WorldSettings
from unequal.manifest import manifest
from unequal.models.load import scratch_model
from unequal.models.shapes import ModelSettings, Vocabulary
from unequal.training.loop import LoopSettings, run_steps
from unequal.training.pretrain import next_token_loss
from unequal.training.settings import OptimiserSettings

RATE = 3e-3


class Windows(torch.utils.data.Dataset[dict[str, torch.Tensor]]):
    """Token windows as the Trainer wants them, padding masked from the loss."""

    def __init__(self, windows: TokenWindows, n: int) -> None:
        self._ids = torch.from_numpy(windows.slice(0, n))
        self._labels = self._ids.masked_fill(self._ids == windows.card.padding_token_id, -100)

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return {"input_ids": self._ids[index], "labels": self._labels[index]}


class InOrderTrainer(Trainer):  # type: ignore[misc]
    """The Trainer without shuffling, as both loops see the windows in the corpus's order."""

    def _get_train_sampler(self, *_: Any) -> Any:
        return torch.utils.data.SequentialSampler(self.train_dataset)


def train_with_trainer(model: PreTrainedModel, windows: TokenWindows, batch: int, steps: int) -> float:
    """Train in place and return the seconds of the training alone."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder, per_device_train_batch_size=batch, max_steps=steps, learning_rate=RATE,
            lr_scheduler_type="constant", warmup_steps=0, weight_decay=0.0, adam_beta2=0.99,
            max_grad_norm=1.0, optim="adamw_torch_fused", use_cpu=True, report_to=[], save_strategy="no",
            logging_strategy="no", disable_tqdm=True,
        )  # fmt: skip
        trainer = InOrderTrainer(model=model, args=arguments, train_dataset=Windows(windows, batch * steps))
        started = time.perf_counter()
        trainer.train()
        return time.perf_counter() - started


def train_with_ours(model: PreTrainedModel, windows: TokenWindows, batch: int, steps: int) -> float:
    """Train in place and return the seconds of the training alone."""
    padding = windows.card.padding_token_id

    def losses(step: int) -> list[torch.Tensor]:
        ids = torch.from_numpy(windows.slice(step * batch, (step + 1) * batch))
        return [next_token_loss(model, ids, padding) / (ids[:, 1:] != padding).sum()]

    settings = OptimiserSettings(
        learning_rate=RATE, schedule="constant", warmup_share=0.0, weight_decay=0.0, beta2=0.99
    )
    started = time.perf_counter()
    run_steps(model, losses, LoopSettings(steps, settings))
    return time.perf_counter() - started


def loss_at_end(model: PreTrainedModel, windows: TokenWindows, batch: int) -> float:
    """Return the mean loss on the first batch after training."""
    ids = torch.from_numpy(windows.slice(0, batch))
    padding = windows.card.padding_token_id
    with torch.no_grad():
        return float(next_token_loss(model.eval(), ids, padding) / (ids[:, 1:] != padding).sum())


def compare(size: str, windows: TokenWindows, batch: int, steps: int, pairs: int) -> dict[str, Any]:
    """Return the tokens per second of both loops and their ratio, pair by pair."""
    card = windows.card
    vocabulary = Vocabulary(
        size=card.vocabulary_size, window_tokens=card.window_tokens,
        end_token_id=card.end_token_id, padding_token_id=card.padding_token_id,
    )  # fmt: skip
    n_tokens = batch * steps * card.window_tokens
    base = scratch_model(ModelSettings(family="gpt2", size=size), vocabulary, seed=0)
    rows: list[dict[str, float]] = []
    ends: list[float] = []
    for _ in range(pairs):
        theirs, ours = copy.deepcopy(base), copy.deepcopy(base)
        their_seconds = train_with_trainer(theirs, windows, batch, steps)
        our_seconds = train_with_ours(ours, windows, batch, steps)
        rows.append(
            {
                "trainer": n_tokens / their_seconds,
                "ours": n_tokens / our_seconds,
                "ratio": their_seconds / our_seconds,
            }
        )
        ends.append(abs(loss_at_end(theirs, windows, batch) - loss_at_end(ours, windows, batch)))
    ratios = [row["ratio"] for row in rows]
    return {
        "size": size,
        "n_params": base.num_parameters(),
        "batch_windows": batch,
        "window_tokens": card.window_tokens,
        "steps": steps,
        "tokens_per_second_trainer": statistics.median(row["trainer"] for row in rows),
        "tokens_per_second_ours": statistics.median(row["ours"] for row in rows),
        "ratio_median": statistics.median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
        "largest_loss_difference": max(ends),
        "pairs": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--sizes", nargs="+", default=["0.2M", "0.4M", "0.9M"])
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--batches", type=int, nargs="+", default=[8, 32])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        corpus = CorpusSettings(epochs=12)
        build_corpus(WorldSettings(), corpus, PromptFormat(), Path(folder) / "corpus")
        windows = TokenWindows(Path(folder) / "corpus")
        assert len(windows) >= max(arguments.batches) * arguments.steps, "raise epochs"  # noqa: S101
        results = []
        for size in arguments.sizes:
            for batch in arguments.batches:
                result = compare(size, windows, batch, arguments.steps * 8 // batch, arguments.pairs)
                results.append(result)
                print({key: value for key, value in result.items() if key != "pairs"}, flush=True)
    found = {"results": results, "threads": 1, "cores": os.cpu_count(), "numpy": np.__version__, **manifest()}
    if arguments.out:
        arguments.out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
