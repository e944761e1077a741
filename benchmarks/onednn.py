"""Whether linear layers by oneDNN are worth it on this CPU: CPU seconds without and with them, in pairs.

A tiny GPT-2 is pre-trained, and unlearns by NPO, on one thread, by PyTorch's own matrix products and by
oneDNN's, in turns of a second or two; a ratio above 1 is a gain.

    python benchmarks/onednn.py --pairs 9
"""

import argparse
import copy
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from transformers import PreTrainedModel

from pretrain import train_with_ours
from unequal.corpus.build import build_corpus
from unequal.corpus.settings import CorpusSettings
from unequal.corpus.shards import TokenWindows
from unequal.facts.probes import PromptFormat
from unequal.facts.table import read_facts
from unequal.facts.world.world import WorldSettings
from unequal.models.cpu_kernels import use_kernels
from unequal.models.load import load_tokenizer, scratch_model
from unequal.models.shapes import ModelSettings, Vocabulary
from unequal.unlearning.methods.npo import NPO
from unequal.unlearning.settings import UnlearnSettings
from unlearn import run_ours
from unlearn_material import BATCH, CASES, N_FACTS, WINDOW_TOKENS, Loop, write_material


def scratch(size: str, vocabulary_size: int, window: int) -> PreTrainedModel:
    """Return a GPT-2 with PyTorch's own layers."""
    vocabulary = Vocabulary(size=vocabulary_size, window_tokens=window, end_token_id=0, padding_token_id=1)
    return scratch_model(ModelSettings(family="gpt2", size=size), vocabulary, seed=0, fast=False)


def pretraining(
    size: str, windows: TokenWindows, steps: int
) -> tuple[PreTrainedModel, Callable[[PreTrainedModel], object]]:
    model = scratch(size, windows.card.vocabulary_size, windows.card.window_tokens)
    return model, lambda one: train_with_ours(one, windows, 8, steps)


def unlearning(folder: Path, steps: int) -> tuple[PreTrainedModel, Callable[[PreTrainedModel], object]]:
    write_material("small", folder)
    tokenizer, facts = load_tokenizer(folder / "tokenizer"), read_facts(folder / "facts.parquet")
    case, method = CASES["small"], NPO(learning_rate=CASES["small"].learning_rate)
    model = scratch("0.9M", len(tokenizer), WINDOW_TOKENS)

    def run(one: PreTrainedModel) -> object:
        settings = UnlearnSettings(steps=steps, batch_size=BATCH)
        return run_ours(
            Loop(one, tokenizer, facts[:N_FACTS], facts[N_FACTS:], method, settings, case.prompts, False)
        )

    return model, run


def compare(model: PreTrainedModel, run: Callable[[PreTrainedModel], object], pairs: int) -> str:
    """Return the ratios of CPU and wall seconds, median and range over the pairs."""
    ratios: list[tuple[float, float]] = []
    for pair in range(pairs + 1):
        found = {}
        for fast in (False, True) if pair % 2 else (True, False):
            one = copy.deepcopy(model)
            if fast:
                use_kernels(one)
            cpu, wall = time.process_time(), time.perf_counter()
            run(one)
            found[fast] = time.process_time() - cpu, time.perf_counter() - wall
        if pair:  # the first is a warm-up
            ratios.append((found[False][0] / found[True][0], found[False][1] / found[True][1]))
    columns = zip(("CPU", "wall"), zip(*ratios, strict=True), strict=True)
    return ", ".join(
        f"{name} {statistics.median(column):.2f} [{min(column):.2f}, {max(column):.2f}]"
        for name, column in columns
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pairs", type=int, default=9)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build_corpus(WorldSettings(), CorpusSettings(epochs=2), PromptFormat(), folder / "corpus")
        windows = TokenWindows(folder / "corpus")
        for size, steps in (("0.2M", 40), ("0.4M", 25), ("0.9M", 12)):
            print(
                "pre-training", size, compare(*pretraining(size, windows, steps), arguments.pairs), flush=True
            )
        print("unlearning 0.9M", compare(*unlearning(folder / "unlearn", 12), arguments.pairs), flush=True)


if __name__ == "__main__":
    main()
