"""Models and tokenizers: from scratch, or loaded from a folder or the hub (safetensors, no foreign code)."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import transformers
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from unequal.errors import ConfigError, DataError
from unequal.models import FAMILIES
from unequal.models.ask import is_causal
from unequal.models.attention import can_do_without_padding
from unequal.models.cache import keeps_what_it_read
from unequal.models.compute import ComputeSettings, Precision
from unequal.models.device import process_state
from unequal.models.heads import has_plain_head
from unequal.models.kernels import use_kernels
from unequal.models.precision import compile_body, in_precision
from unequal.models.processes import is_first
from unequal.models.quantised import Scheme, quantise, require_bitsandbytes
from unequal.models.shapes import ModelSettings, Vocabulary
from unequal.models.sharding import is_sharded, shard, sharding_is_asked, skeleton
from unequal.models.snapshot import check_safe
from unequal.seals import check_seal

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TRUSTED = "UNEQUAL_TRUST_REMOTE_CODE"
"""The environment variable that names, between commas, models whose own code may run."""

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


def scratch_model(
    settings: ModelSettings,
    vocabulary: Vocabulary,
    seed: int,
    fast: bool = True,
    precision: Precision = "fp32",
) -> PreTrainedModel:
    """Return a model with random weights that depend on the seed alone, on this process's device.

    It is sharded over processes if the launcher asked for that.
    """
    settings.require_memory(vocabulary.size)
    config = FAMILIES.get(settings.family)(settings.build_shape(), vocabulary)
    if sharding_is_asked() and not is_first():
        model = skeleton(config)
    else:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    _place(model, precision)
    if not is_sharded(model):  # else when it is first run, after which its precision cannot be changed
        _ask_now(model)
    return use_kernels(model) if fast else model


def _place(model: PreTrainedModel, precision: Precision) -> None:
    """Put the model where it is computed, in its precision; of a sharded one this process's part."""
    in_precision(model, precision)
    model.config.use_cache = False
    if sharding_is_asked():
        shard(model)
    else:
        model.to(process_state().device)


def load_model(
    name_or_path: str | Path, quantised: Scheme | None = None, precision: Precision = "fp32"
) -> PreTrainedModel:
    """Return a causal language model in evaluation mode, on this process's device.

    Its weights are in float32, or in bfloat16 if that is the precision. With ``quantised`` its linear layers
    are kept in 8 or 4 bits, and are never all there in float32. It is sharded over processes if the launcher
    asked for that; the first then loads it, into its memory.
    Raises `DataError` when the folder is missing, is no model, lacks weights, has only pickled ones, or when
    the model is not causal, `ConfigError` for a sharded model in few bits, and `MissingExtraError` where bits
    are asked for without bitsandbytes.
    """
    if quantised:
        require_bitsandbytes()
    _check_folder(name_or_path, "config.json", "a model")
    if quantised and sharding_is_asked():
        raise ConfigError("weights in few bits cannot be sharded; leave out quantise, or --use_fsdp")
    model = _read_model(name_or_path, quantised)
    if quantised:
        quantise(model.to(process_state().device), quantised)
        model.float()
        for weight in model.parameters():
            weight.data = weight.data.clone()  # else a few of them hold the whole file in memory
    _place(model.eval(), precision)
    _check_causal(model, name_or_path)
    _ask_now(model)
    return use_kernels(model)


def _read_model(name_or_path: str | Path, quantised: Scheme | None) -> PreTrainedModel:
    """Return the model as it is stored, or without values where another process is to give them."""
    try:
        if sharding_is_asked() and not is_first():
            trusted = _may_run_code(name_or_path)
            return skeleton(AutoConfig.from_pretrained(name_or_path, trust_remote_code=trusted))
        model, report = AutoModelForCausalLM.from_pretrained(
            name_or_path,
            dtype="auto" if quantised else torch.float32,
            use_safetensors=True,
            trust_remote_code=_may_run_code(name_or_path),
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise DataError(f"cannot load a model from {name_or_path}: {_reason(name_or_path, error)}") from error
    if missing := sorted(report["missing_keys"]):  # transformers fills them with random numbers
        lost = f"{len(missing)} weights are missing, such as {missing[0]}"
        raise DataError(f"cannot load a model from {name_or_path}: {lost}")
    return model


def load_ready(name_or_path: str | Path, compute: ComputeSettings) -> PreTrainedModel:
    """Return a model as `load_model` does, in the precision of the settings, and compiled if they say so."""
    model = load_model(name_or_path, precision=compute.precision)
    if compute.compile:
        compile_body(model)
    return model


def _check_causal(model: PreTrainedModel, name_or_path: str | Path) -> None:
    try:
        causal = is_causal(model)
    except Exception as error:  # whatever a model that wants more than token ids does without
        kind = model.config.model_type
        raise DataError(
            f"cannot run {name_or_path} (a model of type {kind}) on token ids alone: {_first_line(error)}"
        ) from error
    if not causal:
        raise DataError(
            f"{name_or_path} (a model of type {model.config.model_type}) is no causal language model: what it"
            " says of a token changes with the tokens after it"
        )


def _ask_now(model: PreTrainedModel) -> None:
    """Ask what passes will want to know, so that copies know and nothing is asked of a compiled model."""
    has_plain_head(model)
    keeps_what_it_read(model)
    can_do_without_padding(model, longest=1)


def load_tokenizer(name_or_path: str | Path) -> "PreTrainedTokenizerBase":
    """Return a tokenizer with a padding token; raises `DataError` when there is no tokenizer or no token."""
    _check_folder(name_or_path, "tokenizer_config.json", "a tokenizer")
    try:
        tokenizer = AutoTokenizer.from_pretrained(name_or_path, trust_remote_code=_may_run_code(name_or_path))
    except (OSError, ValueError) as error:
        raise DataError(
            f"cannot load a tokenizer from {name_or_path}: {_reason(name_or_path, error)}"
        ) from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.bos_token or tokenizer.unk_token
    if tokenizer.pad_token_id is None:
        raise DataError(
            f"the tokenizer of {name_or_path} has no token to pad or end with (no pad_token, eos_token,"
            " bos_token or unk_token)"
        )
    return tokenizer


def _check_folder(name_or_path: str | Path, file: str, what: str) -> None:
    """Refuse what looks like a path but is not a folder with the file; anything else may be a hub name."""
    path = Path(name_or_path)
    if path.is_dir():
        if not (path / file).is_file():
            raise DataError(f"{path} does not hold {what} (no {file})")
        if file == "config.json":
            _check_weights(path)
        check_seal(path)
    elif isinstance(name_or_path, Path) or path.is_absolute() or str(name_or_path).count("/") != 1:
        raise DataError(f"there is no folder {path}; give a folder that holds {what}, or a hub name")


def _check_weights(folder: Path) -> None:
    """Refuse weights that are only pickled, before any of them is opened."""
    try:
        check_safe(str(folder), [path.name for path in folder.iterdir()])
    except DataError as error:
        raise DataError(f"cannot load a model from {folder}: {error}") from error


def _may_run_code(name_or_path: str | Path) -> bool:
    """Return whether the user has allowed, by its very name, code that comes with a model."""
    return str(name_or_path) in os.environ.get(TRUSTED, "").split(",")


def _reason(name_or_path: str | Path, error: Exception) -> str:
    """Return why a model cannot be loaded, and for one with code of its own the way out."""
    if "trust_remote_code" in str(error) or "custom code" in str(error):
        return (
            "it comes with code of its own, which is not run; read that code, and where you trust it allow it"
            f" by name: {TRUSTED}={name_or_path}"
        )
    return _first_line(error)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
