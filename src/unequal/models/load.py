"""Models and tokenizers: from scratch, or loaded from a folder or the hub (safetensors, no foreign code)."""

from pathlib import Path
from typing import TYPE_CHECKING

import torch
import transformers
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from unequal.errors import DataError
from unequal.models import FAMILIES
from unequal.models.compute import ComputeSettings
from unequal.models.device import process_state
from unequal.models.heads import has_plain_head
from unequal.models.kernels import use_fast_linear
from unequal.models.precision import compile_body, in_precision
from unequal.models.processes import is_first
from unequal.models.shapes import ModelSettings, Vocabulary
from unequal.models.sharding import shard, sharding_is_asked, skeleton

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


def scratch_model(
    settings: ModelSettings, vocabulary: Vocabulary, seed: int, fast: bool = True
) -> PreTrainedModel:
    """Return a float32 model with random weights that depend on the seed alone, on this process's device.

    It is sharded over processes if the launcher asked for that.
    """
    config = FAMILIES.get(settings.family)(settings.build_shape(), vocabulary)
    if sharding_is_asked() and not is_first():
        return _placed(skeleton(config), fast)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    return _placed(model, fast)


def _placed(model: PreTrainedModel, fast: bool = True) -> PreTrainedModel:
    """Return the model where it is computed, or this process's part of it."""
    model.config.use_cache = False
    if sharding_is_asked():
        shard(model)  # and not run yet, since its precision cannot be changed after that
    else:
        has_plain_head(model.to(process_state().device))  # asked now, so that copies know
    return use_fast_linear(model) if fast else model


def load_model(name_or_path: str | Path) -> PreTrainedModel:
    """Return a causal language model in float32 and evaluation mode, on this process's device.

    It is sharded over processes if the launcher asked for that; the first then loads it, into its memory.
    Raises `DataError` when the folder is missing, is no model, lacks weights, or has only pickled ones.
    """
    _check_folder(name_or_path, "config.json", "a model")
    try:
        if sharding_is_asked() and not is_first():
            config = AutoConfig.from_pretrained(name_or_path, trust_remote_code=False)
            return _placed(skeleton(config).eval())
        model, report = AutoModelForCausalLM.from_pretrained(
            name_or_path,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise DataError(f"cannot load a model from {name_or_path}: {_first_line(error)}") from error
    if missing := sorted(report["missing_keys"]):  # transformers fills them with random numbers
        lost = f"{len(missing)} weights are missing, such as {missing[0]}"
        raise DataError(f"cannot load a model from {name_or_path}: {lost}")
    return _placed(model.eval())


def load_ready(name_or_path: str | Path, compute: ComputeSettings) -> PreTrainedModel:
    """Return a model as `load_model` does, in the precision of the settings, and compiled if they say so."""
    model = in_precision(load_model(name_or_path), compute.precision)
    if compute.compile:
        compile_body(model)
    return model


def load_tokenizer(name_or_path: str | Path) -> "PreTrainedTokenizerBase":
    """Return a tokenizer with a padding token; raises `DataError` when there is none."""
    _check_folder(name_or_path, "tokenizer_config.json", "a tokenizer")
    try:
        tokenizer = AutoTokenizer.from_pretrained(name_or_path, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise DataError(f"cannot load a tokenizer from {name_or_path}: {_first_line(error)}") from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _check_folder(name_or_path: str | Path, file: str, what: str) -> None:
    """Refuse what looks like a path but is not a folder with the file; anything else may be a hub name."""
    path = Path(name_or_path)
    if path.is_dir():
        if not (path / file).is_file():
            raise DataError(f"{path} does not hold {what} (no {file})")
    elif isinstance(name_or_path, Path) or path.is_absolute() or str(name_or_path).count("/") != 1:
        raise DataError(f"there is no folder {path}; give a folder that holds {what}, or a hub name")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
