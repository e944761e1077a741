"""The prompt format of a model: stored beside it, or its chat template, or plain text."""

from pathlib import Path
from typing import TYPE_CHECKING

from unequal.config import build
from unequal.facts.probes import PromptFormat
from unequal.files import write_json
from unequal.records import read_object

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PROMPTS_FILE = "prompts.json"
"""The file beside a model with the settings of the table ``[prompts]`` of a run file."""


def read_prompts(name_or_path: str | Path) -> PromptFormat | None:
    """Return the prompt format stored with a model, None where there is none.

    Raises `DataError` for a file of settings that cannot be read, `ConfigError` for wrong ones.
    """
    from unequal.models.sources.resolve import resolve_model

    path = Path(resolve_model(name_or_path)) / PROMPTS_FILE
    if not path.is_file():
        return None
    return build(PromptFormat, read_object(path, "delete it to ask in the default format"), str(path))


def stored_prompts(name_or_path: str | Path, tokenizer: "PreTrainedTokenizerBase | None") -> PromptFormat:
    """Return the prompt format stored with a model; else a chat where the tokenizer has a chat template.

    Raises errors as `read_prompts` does.
    """
    has_template = tokenizer is not None and tokenizer.chat_template
    return read_prompts(name_or_path) or PromptFormat(chat=bool(has_template))


def write_prompts(prompts: PromptFormat, folder: Path) -> None:
    """Store a prompt format with the model of a folder."""
    write_json(folder / PROMPTS_FILE, prompts.model_dump(mode="json", exclude_none=True))
