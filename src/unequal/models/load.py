"""Loading of models and tokenizers: from scratch, a folder or the hub (safetensors, no foreign code)."""

from pathlib import Path
from typing import TYPE_CHECKING

import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from unequal.checksums import verify_folder
from unequal.errors import ConfigError, DataError
from unequal.models import FAMILIES
from unequal.models.adapters import adapters_unseen, merge_saved
from unequal.models.capabilities import capabilities_of
from unequal.models.compute_settings import Precision, Scheme
from unequal.models.configuration import disable_cache
from unequal.models.device import process_state
from unequal.models.distributed import is_main_process
from unequal.models.folders import check_model, is_local, n_rows
from unequal.models.fsdp import empty_model, is_sharded, shard, sharding_is_requested
from unequal.models.loaded import broken_load, check_finite, check_used
from unequal.models.precision import in_precision
from unequal.models.quantised import quantise, require_bitsandbytes
from unequal.models.reasons import MODEL_FILES, TOKENIZER_FILES, explained, may_run_code, said_by
from unequal.models.shapes import ModelSettings, Vocabulary
from unequal.models.sources.resolve import resolve_model
from unequal.models.tokens import check_fit, check_tokenizer_files, check_vocabulary, set_padding
from unequal.oom import is_out_of_memory

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


def scratch_model(
    settings: ModelSettings,
    vocabulary: Vocabulary,
    seed: int,
    precision: Precision = "fp32",
) -> PreTrainedModel:
    """Return a model with random parameters that depend on the seed alone, on this process's device.

    It is sharded over processes if the launcher requested that.
    """
    settings.require_memory(vocabulary.size)
    config = FAMILIES.get(settings.family)(settings.build_shape(), vocabulary)
    if sharding_is_requested() and not is_main_process():
        model = empty_model(config)
    else:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    _place(model, precision)
    if not is_sharded(model):  # else when it is first run, after which its precision cannot be changed
        _check_capabilities(model)
    return model


def _place(model: PreTrainedModel, precision: Precision) -> None:
    """Move the model, or this process's shard of it, to its device, in its precision."""
    in_precision(model, precision)
    disable_cache(model)
    if sharding_is_requested():
        shard(model)
    else:
        model.to(process_state().device)


def load_model(
    name_or_path: str | Path,
    quantised: Scheme | None = None,
    precision: Precision = "fp32",
    merge_adapter: bool = False,
) -> PreTrainedModel:
    """Return a causal language model in evaluation mode, on this process's device.

    Its parameters are in float32, or in bfloat16 if that is the precision. With ``quantised`` its linear
    layers are stored in 8 or 4 bits, and are never all there in float32. With ``merge_adapter`` an adapter
    beside its parameters is merged. It is sharded over processes if the launcher requested that; the main
    process then loads it, into its memory.
    Raises `DataError` when the folder is missing, is no model, when parameters are missing, left over, of
    another shape or no numbers, when there are only pickled ones or an adapter that is not to be merged, when
    the model is not causal, `ConfigError` for a sharded quantised model, and `MissingExtraError` for
    quantisation without bitsandbytes.
    """
    name_or_path = resolve_model(name_or_path)
    if quantised:
        require_bitsandbytes()
    adapter = check_model(name_or_path, merge_adapter)
    if quantised and sharding_is_requested():
        raise ConfigError("weights in few bits cannot be sharded; leave out quantise, or --use_fsdp")
    model = _read_model(name_or_path, quantised, adapter)
    if quantised:
        quantise(model.to(process_state().device), quantised)
        model.float()
        for weight in model.parameters():
            weight.data = weight.data.clone()  # else a few of them hold the whole file in memory
    _place(model.eval(), precision)
    _check_causal(model, name_or_path)
    _check_capabilities(model)
    return model


def _read_model(name_or_path: str | Path, quantised: Scheme | None, adapter: Path | None) -> PreTrainedModel:
    """Return the model as it is stored, or without values where another process is to give them."""
    trusted = may_run_code(name_or_path)
    with explained("a model", name_or_path, MODEL_FILES):
        if sharding_is_requested() and not is_main_process():
            return empty_model(AutoConfig.from_pretrained(name_or_path, trust_remote_code=trusted))
        with adapters_unseen():
            try:
                model, report = AutoModelForCausalLM.from_pretrained(
                    name_or_path,
                    dtype="auto" if quantised else torch.float32,
                    use_safetensors=True,
                    trust_remote_code=trusted,
                    output_loading_info=True,
                )
            except RuntimeError as error:
                if why := broken_load(error):
                    raise DataError(f"cannot load a model from {name_or_path}: {why}") from error
                raise
    check_used(model, report, name_or_path)
    check_finite(model, name_or_path)
    if adapter is not None:
        merge_saved(model, adapter, name_or_path)
        check_finite(model, name_or_path)
    return model


def _check_causal(model: PreTrainedModel, name_or_path: str | Path) -> None:
    kind = model.config.model_type
    try:
        causal, finite = capabilities_of(model).causal, capabilities_of(model).finite
    except Exception as error:  # whatever a model that wants more than token ids does without
        if is_out_of_memory(error):
            raise
        raise DataError(
            f"cannot run {name_or_path} (a model of type {kind}) on token ids alone: {said_by(error)}"
        ) from error
    if not finite:
        raise DataError(
            f"{name_or_path} (a model of type {kind}) gives no numbers (NaN or infinite) for tokens, though"
            " its parameters are finite; look for a wrong number in config.json"
        )
    if not causal:
        raise DataError(
            f"{name_or_path} (a model of type {kind}) is no causal language model: what it"
            " says of a token changes with the tokens after it"
        )


def _check_capabilities(model: PreTrainedModel) -> None:
    """Run checks that passes will request, so that copies know and no compiled model is checked."""
    capabilities_of(model).check_passes()
    capabilities_of(model).supports_packing(longest=1)


def load_tokenizer(name_or_path: str | Path) -> "PreTrainedTokenizerBase":
    """Return a tokenizer with a padding token that the model beside it, if there is one, has a row for.

    Raises `DataError` when there is no tokenizer, a part of it is missing, it has no token to end with, or
    tokens that the model has no embeddings for.
    """
    name_or_path = resolve_model(name_or_path)
    path = Path(name_or_path)
    if is_local(name_or_path, "a tokenizer"):
        check_tokenizer_files(path)
        verify_folder(path)
    kind = None
    with explained("a tokenizer", name_or_path, TOKENIZER_FILES):
        try:
            tokenizer = AutoTokenizer.from_pretrained(
                name_or_path, trust_remote_code=may_run_code(name_or_path)
            )
            kind = type(tokenizer)
        finally:  # transformers makes some without a vocabulary, and fails with others
            check_vocabulary(path, kind)
    rows = n_rows(name_or_path)
    if rows is not None:
        check_fit(tokenizer, rows, name_or_path)
    set_padding(tokenizer, rows, name_or_path)
    return tokenizer
