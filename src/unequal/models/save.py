"""Models written as ordinary folders, from one process or from several that share the weights."""

from pathlib import Path
from typing import TYPE_CHECKING

from transformers import PreTrainedModel

from unequal.checksums import write_checksums
from unequal.models.configuration import as_it_was
from unequal.models.distributed import is_main_process
from unequal.models.fsdp import gathered_state, is_sharded, skeleton
from unequal.models.tokens import own_padding

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def save_model(model: PreTrainedModel, tokenizer: "PreTrainedTokenizerBase", folder: Path | None) -> None:
    """Write a folder that `from_pretrained` loads, sealed; best done where it takes its place as a whole.

    All processes must come here, and those without a folder write nothing.
    """
    with as_it_was(model), own_padding(tokenizer):
        if is_sharded(model):
            state = gathered_state(model)
            if is_main_process():
                saved = skeleton(model.config, model.dtype)
                saved.load_state_dict(state, assign=True)
                saved.tie_weights()
                saved.generation_config = model.generation_config
                model = saved
        if folder is not None:
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
            write_checksums(folder)
