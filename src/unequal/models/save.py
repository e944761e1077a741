"""Saving of models as ordinary Hugging Face folders, sharded ones too."""

from pathlib import Path
from typing import TYPE_CHECKING

from transformers import PreTrainedModel

from unequal.checksums import write_checksums
from unequal.facts.probes import PromptFormat
from unequal.models.configuration import as_it_was
from unequal.models.fsdp import unsharded
from unequal.models.stored_prompts import write_prompts
from unequal.models.tokens import own_padding

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def save_model(
    model: PreTrainedModel,
    tokenizer: "PreTrainedTokenizerBase",
    folder: Path | None,
    prompts: PromptFormat | None = None,
) -> None:
    """Write a model folder that `from_pretrained` loads, with checksums; best inside `atomic_folder`.

    It holds the prompt format too, if one is given. All processes must come here, and those without a folder
    write nothing.
    """
    with as_it_was(model), own_padding(tokenizer):
        model = unsharded(model)
        if folder is not None:
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
            if prompts is not None:
                write_prompts(prompts, folder)
            write_checksums(folder)
