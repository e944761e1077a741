"""The settings of the small world and corpus that the tests share, and how to read what was built."""

import json
from pathlib import Path

import zstandard

from unequal.corpus.settings import CorpusSettings
from unequal.corpus.shards import read_card
from unequal.facts.probes import PromptFormat
from unequal.facts.world.world import WorldSettings

WORLD = WorldSettings(seed=5, n_distractors=3)
PROMPTS = PromptFormat()


def corpus_settings(**changes) -> CorpusSettings:
    """Return the small plan, with these settings changed."""
    small = {
        "seed": 2,
        "levels": (0, 1, 3),
        "people_per_level": 4,
        "retain_people": 6,
        "utility_people": 4,
        "epochs": 3,
        "window_tokens": 160,
    }
    return CorpusSettings.model_validate(small | changes)


def run_of(model, tokenizer, method, forget, retain=(), *, seed=0, batch_size=99, **settings):
    """Return an unlearning run in the tests' prompt format with these settings."""
    from unequal.unlearning.run import Run
    from unequal.unlearning.settings import UnlearnSettings

    chosen = UnlearnSettings.model_validate({"batch_size": batch_size, **settings})
    return Run(model, tokenizer, method, forget, retain, chosen, PROMPTS, seed)


def documents_of(folder: Path) -> list[dict]:
    """Return the rows of all document shards of a corpus, in training order."""
    rows = []
    for path in sorted((folder / "documents").glob("*.jsonl.zst")):
        text = zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read().decode()
        rows += [json.loads(line) for line in text.splitlines()]
    return rows


def vocabulary_of(folder: Path):
    """Return what a model must know of a corpus."""
    from unequal.models.shapes import Vocabulary

    card = read_card(folder)
    return Vocabulary(
        size=card.vocabulary_size,
        window_tokens=card.window_tokens,
        end_token_id=card.end_token_id,
        padding_token_id=card.padding_token_id,
    )
