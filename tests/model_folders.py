"""A model folder to break: small, whole, and changed one thing at a time."""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM

from tiny_checkpoints import tokenizer_for


def make_folder(folder: Path, facts, prompt: str, **more) -> Path:
    """Write a random Llama of two layers, with a tokenizer of the facts, and return the folder."""
    tokenizer = tokenizer_for(facts, prompt)
    shape = {
        "vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 128,
        "initializer_range": 0.2, "eos_token_id": tokenizer.eos_token_id, "bos_token_id": None,
    }  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        LlamaForCausalLM(LlamaConfig(**shape | more)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def change_config(folder: Path, name: str = "config.json", **values) -> None:
    """Write values into one of a folder's JSON files; None takes the name away."""
    known = json.loads((folder / name).read_text()) | values
    kept = {key: value for key, value in known.items() if value is not None}
    (folder / name).write_text(json.dumps(kept))


def change_tensors(folder: Path, change) -> None:
    """Write what ``change`` returns of a folder's tensors by name."""
    tensors = change(load_file(folder / "model.safetensors"))
    tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
