"""What `evaluate.py` asks about: a tokenizer, and facts with eight wrong answers each, in no order."""

from collections.abc import Callable
from pathlib import Path
from random import Random

from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from unequal.corpus.build import build_corpus
from unequal.corpus.settings import CorpusSettings
from unequal.facts.probes import PromptFormat
from unequal.facts.schema import Fact
from unequal.facts.table import read_facts
from unequal.facts.world.world import WorldSettings
from unequal.facts.write import write_facts

N_DISTRACTORS = 8
WIDE_VOCABULARY = 50_257  # that of GPT-2
SEED = 0


def write_world(folder: Path, n_facts: int) -> None:
    """Write the tokenizer of a small world's corpus and facts of the world."""
    world = WorldSettings(n_distractors=N_DISTRACTORS)
    build_corpus(world, CorpusSettings(epochs=1), PromptFormat(), folder)
    facts = list(read_facts(folder / "facts.parquet"))
    write_facts(Random(SEED).sample(facts, n_facts), folder / "facts.parquet")


def write_made_up(folder: Path, n_facts: int) -> None:
    """Write a tokenizer of made-up words and facts that are made of them."""
    folder.mkdir()
    word_tokenizer(WIDE_VOCABULARY).save_pretrained(folder / "tokenizer")
    write_facts([made_up_fact(number) for number in range(n_facts)], folder / "facts.parquet")


MATERIALS: dict[str, Callable[[Path, int], None]] = {"small": write_world, "large": write_made_up}


def word_tokenizer(size: int) -> PreTrainedTokenizerFast:
    """Return a tokenizer of whole words, ``w0``, ``w1``, …, and those of the prompt."""
    words = ["<|endoftext|>", "<|pad|>", "<|unknown|>", "Question:", "Answer:"]
    words += [f"w{number}" for number in range(size - len(words))]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token=words[2]))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=words[0], pad_token=words[1], unk_token=words[2]
    )


def made_up_fact(number: int) -> Fact:
    """Return a fact of random words, its prompt of 12 to 20 tokens and its answers of 1 to 6."""
    stream = Random(number)

    def words(least: int, most: int) -> str:
        return " ".join(f"w{stream.randrange(50_000)}" for _ in range(stream.randint(least, most)))

    answer = words(1, 6)
    return Fact(
        fact_id=f"f{number}", subject=words(2, 2), relation="made up", object=answer,
        question=words(10, 18), answer=answer, distractors=tuple(words(1, 6) for _ in range(N_DISTRACTORS)),
    )  # fmt: skip
