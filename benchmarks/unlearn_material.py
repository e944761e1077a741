"""What all sides of the unlearning benchmark are given: cases, facts, a tokenizer, and the order of rows."""

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from unequal.facts.probes import PromptFormat
from unequal.facts.schema import Fact
from unequal.facts.write import write_facts
from unequal.models.shapes import ModelSettings, Shape
from unequal.unlearning.examples import Example, FactEncoder
from unequal.unlearning.methods.npo import NPO
from unequal.unlearning.sampler import BatchOrder
from unequal.unlearning.settings import UnlearnSettings

N_FACTS = 256  # to forget, and as many to retain
BATCH = 32
SEED = 0
WINDOW_TOKENS = 128


class Case(NamedTuple):
    """A model, its vocabulary of words, how fast it learns, how long a run is, and how prompts begin."""

    model: ModelSettings
    n_words: int
    learning_rate: float
    steps: int
    on_gpu: bool = False
    beginning: int = 0

    @property
    def prompts(self) -> PromptFormat:
        """How facts are asked for: as always, or after a beginning of so many words."""
        words = " ".join(f"w{number}" for number in range(self.beginning))
        return PromptFormat(question=f"{words} {{question}}") if words else PromptFormat()


OLMO2_1B = ModelSettings(family="olmo2", size="1B", shape=Shape(width=2048, layers=16, heads=16))
CASES = {
    "small": Case(ModelSettings(family="gpt2", size="0.9M"), 333, 1e-3, 80),
    "chat": Case(ModelSettings(family="gpt2", size="0.9M"), 333, 1e-3, 60, beginning=24),
    "large": Case(ModelSettings(family="gpt2", size="20M"), 50_257, 1e-4, 8),
    "gpu": Case(OLMO2_1B, 100_278, 1e-5, 20, on_gpu=True),  # not run yet: no GPU was at hand
}


class Loop(NamedTuple):
    """What both sides are given."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    forget: Sequence[Fact]
    retain: Sequence[Fact]
    method: NPO
    settings: UnlearnSettings
    prompts: PromptFormat
    on_gpu: bool


class Run(NamedTuple):
    """What a side brought: seconds in all, the time at which each step ended, and the loss of each step."""

    seconds: float
    cpu_seconds: float
    ends: list[float]
    losses: list[float]


class Steps(torch.utils.data.Dataset[dict[str, Example]]):
    """Pairs of a row to forget and a row to retain, in the order in which our loop sees them."""

    def __init__(self, loop: Loop) -> None:
        encoder = FactEncoder(loop.tokenizer, loop.prompts)
        steps, size = range(loop.settings.steps), loop.settings.batch_size
        orders = {name: BatchOrder(N_FACTS, size, SEED, name) for name in ("forget", "retain")}
        self._order = {name: [i for step in steps for i in order.at(step)] for name, order in orders.items()}
        self._rows = {
            "forget": encoder.own_answers(loop.forget),
            "retain": encoder.own_answers(loop.retain, end=True),
        }

    def __len__(self) -> int:
        return len(self._order["forget"])

    def __getitem__(self, index: int) -> dict[str, Example]:
        return {name: rows[self._order[name][index]] for name, rows in self._rows.items()}


def write_material(name: str, folder: Path) -> None:
    """Write a tokenizer and facts: first those to forget, then as many to retain."""
    folder.mkdir()
    tokenizer = word_tokenizer(CASES[name].n_words)
    tokenizer.save_pretrained(folder / "tokenizer")
    words = [word for word in tokenizer.get_vocab() if word.startswith("w")]
    facts = [made_up_fact(number, sorted(words)) for number in range(2 * N_FACTS)]
    write_facts(facts, folder / "facts.parquet")


def word_tokenizer(size: int) -> PreTrainedTokenizerFast:
    """Return a tokenizer of whole words: ``w0``, ``w1``, …"""
    words = ["<|endoftext|>", "<|pad|>", "<|unknown|>", "Question:", "Answer:"]
    words += [f"w{number}" for number in range(size - len(words))]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token=words[2]))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=words[0], eos_token=words[0], pad_token=words[1],
        unk_token=words[2], model_max_length=WINDOW_TOKENS,
    )  # fmt: skip


def made_up_fact(number: int, words: Sequence[str]) -> Fact:
    """Return a fact of random words, 12 to 20 tokens of prompt but for its beginning, 1 to 6 of answer."""
    stream = Random(number)

    def some(least: int, most: int) -> str:
        return " ".join(stream.choices(words, k=stream.randint(least, most)))

    answer = some(1, 6)
    return Fact(
        fact_id=f"f{number}", subject=some(2, 2), relation="made up", object=answer,
        question=some(10, 18), answer=answer,
    )  # fmt: skip
