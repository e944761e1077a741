"""Models and tokenizers: from scratch, or loaded from a folder or the hub (safetensors, no foreign code)."""

from pathlib import Path
from typing import TYPE_CHECKING

import torch
import transformers
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from unequal.errors import DataError
from unequal.models import FAMILIES
from unequal.models.ask import is_causal
from unequal.models.attention import can_do_without_padding
from unequal.models.cache import keeps_what_it_read
from unequal.models.device import process_state
from unequal.models.heads import has_plain_head
from unequal.models.kernels import use_fast_linear
from unequal.models.quantised import Scheme, quantise, require_bitsandbytes
from unequal.models.shapes import ModelSettings, Vocabulary
from unequal.seals import check_seal, seal

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


def scratch_model(
    settings: ModelSettings, vocabulary: Vocabulary, seed: int, fast: bool = True
) -> PreTrainedModel:
    """Return a float32 model with random weights that depend on the seed alone, on the accelerator if any."""
    config = FAMILIES.get(settings.family)(settings.build_shape(), vocabulary)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.config.use_cache = False
    model.to(process_state().device)
    _ask_now(model)
    return use_fast_linear(model) if fast else model


def load_model(name_or_path: str | Path, quantised: Scheme | None = None) -> PreTrainedModel:
    """Return a causal language model in float32 and evaluation mode, on the accelerator if there is one.

    With ``quantised`` its linear layers are kept in 8 or 4 bits, and are never all there in float32.
    Raises `DataError` when the folder is missing, is no model, lacks weights, has only pickled ones, or when
    the model is not causal, and `MissingExtraError` where bits are asked for without bitsandbytes.
    """
    if quantised:
        require_bitsandbytes()
    _check_folder(name_or_path, "config.json", "a model")
    try:
        model, report = AutoModelForCausalLM.from_pretrained(
            name_or_path,
            dtype="auto" if quantised else torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise DataError(f"cannot load a model from {name_or_path}: {_first_line(error)}") from error
    if missing := sorted(report["missing_keys"]):  # transformers fills them with random numbers
        lost = f"{len(missing)} weights are missing, such as {missing[0]}"
        raise DataError(f"cannot load a model from {name_or_path}: {lost}")
    model.config.use_cache = False
    if quantised:
        quantise(model.to(process_state().device), quantised)
        model.float()
        for weight in model.parameters():
            weight.data = weight.data.clone()  # else a few of them hold the whole file in memory
    model.eval().to(process_state().device)
    _check_causal(model, name_or_path)
    _ask_now(model)
    return use_fast_linear(model)


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
        tokenizer = AutoTokenizer.from_pretrained(name_or_path, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise DataError(f"cannot load a tokenizer from {name_or_path}: {_first_line(error)}") from error
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
        check_seal(path)
    elif isinstance(name_or_path, Path) or path.is_absolute() or str(name_or_path).count("/") != 1:
        raise DataError(f"there is no folder {path}; give a folder that holds {what}, or a hub name")


def save_model(model: PreTrainedModel, tokenizer: "PreTrainedTokenizerBase", folder: Path) -> None:
    """Write a folder that `from_pretrained` loads, sealed; best done where it takes its place as a whole."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    seal(folder)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
