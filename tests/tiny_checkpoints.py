"""Small checkpoints of published classes, as the files of a hub repository, and one that knows some facts."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, MambaConfig, Olmo2Config, OlmoConfig, PreTrainedModel
from transformers.models.gpt_neox import GPTNeoXConfig

from unequal.corpus.settings import TokenizerSettings
from unequal.corpus.tokenizers import train_tokenizer
from unequal.facts.schema import Fact

WINDOW = 128
VOCABULARY = 700
SHAPE = {"hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4}
SHAPE |= {"max_position_embeddings": WINDOW}


def tokenizer_for(facts: Sequence[Fact], prompt: str):
    """Return a byte-pair tokenizer that begins nothing with a token of its own, as GPT-NeoX's does."""
    texts = [prompt.format(question=fact.question) + " " + fact.answer for fact in facts]
    return train_tokenizer(texts, TokenizerSettings(kind="bpe", vocabulary_size=VOCABULARY), WINDOW)


def model_of(kind: str, tokenizer, width: int = 48) -> PreTrainedModel:
    """Return a random model of a published class: olmo, olmo2, gpt_neox or mamba."""
    ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    ends |= {"bos_token_id": tokenizer.bos_token_id, "vocab_size": len(tokenizer)}
    shape = SHAPE | {"hidden_size": width, "intermediate_size": 2 * width}
    config = {
        "olmo": lambda: OlmoConfig(**shape, **ends),
        "olmo2": lambda: Olmo2Config(**shape, **ends),
        "gpt_neox": lambda: GPTNeoXConfig(**shape, **ends),
        "mamba": lambda: MambaConfig(hidden_size=width, state_size=4, num_hidden_layers=2, **ends),
    }[kind]()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return AutoModelForCausalLM.from_config(config, dtype=torch.float32)


def teach(model: PreTrainedModel, tokenizer, facts: Sequence[Fact], prompt: str, steps: int) -> None:
    """Train the model on the answers to the facts' questions."""
    texts = [prompt.format(question=fact.question) + " " + fact.answer for fact in facts]
    rows = [[*tokenizer(text)["input_ids"], tokenizer.eos_token_id] for text in texts]
    longest = max(map(len, rows))
    ids = torch.tensor([row + [tokenizer.pad_token_id] * (longest - len(row)) for row in rows])
    optimiser = torch.optim.AdamW(model.parameters(), lr=5e-3)
    generator = torch.Generator().manual_seed(0)
    model.train()
    for _ in range(steps):
        batch = ids[torch.randperm(len(ids), generator=generator)[:48]]
        logits = model(batch[:, :-1]).logits
        loss = cross_entropy(
            logits.flatten(0, 1), batch[:, 1:].flatten(), ignore_index=tokenizer.pad_token_id
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def files_of(model: PreTrainedModel, tokenizer) -> dict[str, bytes]:
    """Return the files of a repository that holds the model, pickled weights beside the safe ones."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        files = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    return files | {"pytorch_model.bin": b"pickled", "README.md": b"# A model\n"}
