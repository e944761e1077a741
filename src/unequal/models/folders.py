"""Checks of model and tokenizer folders, before anything is loaded."""

from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from transformers import AutoConfig, PreTrainedConfig
from transformers.utils.peft_utils import find_adapter_config_file

from unequal.checksums import verify_folder
from unequal.errors import DataError
from unequal.files import read_json
from unequal.models.configuration import text_part
from unequal.models.hub_snapshot import (
    ADAPTER_SETTINGS,
    ADAPTER_WEIGHTS,
    check_safe,
    count_weights,
    headers,
    refuse_adapter,
)
from unequal.models.reasons import MODEL_FILES, explained, may_run_code, no_object
from unequal.models.sources.resolve import resolve_model

_POSITIVE = (
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "hidden_size",
    "intermediate_size",
    "head_dim",
    "vocab_size",
)
_ALSO = (
    "n_layer",
    "n_layers",
    "num_layers",
    "n_head",
    "n_heads",
    "num_heads",
    "n_embd",
    "d_model",
    "n_inner",
)
"""Other names of these in files."""
_OTHER_HEADS = ("head_dim", "head_size", "d_kv", "kv_channels", "lora_rank")
"""In names of settings, that heads need not be as wide as the model divided by their number."""
_PACKED = 8  # numbers that one stored number may stand for, where they are kept in few bits


def check_model(name_or_path: str | Path, merge_adapter: bool = False) -> Path | None:
    """Return the folder of the adapter that lies beside a model, None where there is none.

    Raises `DataError` for what is no model: a folder or files missing, only pickled parameters, an adapter
    alone, one beside a model that is not to be merged, or a configuration with impossible numbers.
    """
    name_or_path = resolve_model(name_or_path)
    path = Path(name_or_path)
    if is_local(name_or_path, "a model"):
        _check_files(path)
        verify_folder(path)
    adapter = _adapter(name_or_path)
    if adapter is not None and not merge_adapter:
        refuse_adapter(str(name_or_path))
    if adapter is not None:
        _check_adapter(adapter, name_or_path)
    _check_numbers(_read_config(name_or_path), name_or_path)
    return adapter


def is_local(name_or_path: str | Path, what: str) -> bool:
    """Return whether this is a folder; what is not may be a hub name.

    Raises `DataError` for what looks like the path of a folder that is missing.
    """
    path = Path(name_or_path)
    if path.is_dir():
        return True
    if isinstance(name_or_path, Path) or path.is_absolute() or str(name_or_path).count("/") != 1:
        raise DataError(f"there is no folder {path}; give a folder that holds {what}, or a hub name")
    return False


def _check_files(folder: Path) -> None:
    """Refuse a folder that lacks files, has only pickled parameters, or unreadable settings."""
    names = [path.name for path in folder.iterdir()]
    if "config.json" not in names:
        check_safe(str(folder), names)
    try:
        check_safe(str(folder), names)
    except DataError as error:
        raise DataError(f"cannot load a model from {folder}: {error}") from error
    for name in MODEL_FILES:
        if wrong := no_object(folder / name):
            raise DataError(f"cannot load a model from {folder}: {wrong}")
    settings = read_json(folder / "config.json")
    for part in (settings, settings.get("text_config")):
        if isinstance(part, dict):  # checked here, since a library may divide by one of them
            _check_positive({name: part.get(name) for name in (*_POSITIVE, *_ALSO)}, folder)


def _adapter(name_or_path: str | Path) -> Path | None:
    """Return the folder that holds an adapter under the model's name."""
    folder = Path(name_or_path)
    if folder.is_dir():
        return (
            folder
            if any((folder / name).is_file() for name in (ADAPTER_SETTINGS, *ADAPTER_WEIGHTS))
            else None
        )
    with explained("a model", name_or_path, ()):
        found = find_adapter_config_file(str(name_or_path))
    return Path(found).parent if found else None


def _check_adapter(folder: Path, name_or_path: str | Path) -> None:
    """Refuse an adapter without settings or without safetensors parameters."""
    wrong = None if (folder / ADAPTER_SETTINGS).is_file() else f"there is no {ADAPTER_SETTINGS}"
    wrong = wrong or no_object(folder / ADAPTER_SETTINGS)
    if wrong is None and not (folder / ADAPTER_WEIGHTS[0]).is_file():
        wrong = f"there is no {ADAPTER_WEIGHTS[0]}, and pickled parameters are not read"
    if wrong is not None:
        raise DataError(f"cannot merge the adapter in {name_or_path}: {wrong}")


def _read_config(name_or_path: str | Path) -> PreTrainedConfig:
    with explained("a model", name_or_path, MODEL_FILES):
        config: PreTrainedConfig = AutoConfig.from_pretrained(
            name_or_path, trust_remote_code=may_run_code(name_or_path)
        )
        text_part(config)
    return config


def n_rows(name_or_path: str | Path) -> int | None:
    """Return the number of embeddings of the model of this name, None where it is unknown."""
    if Path(name_or_path).is_dir() and not (Path(name_or_path) / "config.json").is_file():
        return None
    try:
        rows = getattr(text_part(_read_config(name_or_path)), "vocab_size", None)
    except DataError:  # which loading the model says better
        return None
    return rows if isinstance(rows, int) else None


def _check_numbers(config: PreTrainedConfig, name_or_path: str | Path) -> None:
    """Refuse numbers with which there is no model, before a library tries to make one of them."""
    text = text_part(config)
    known = _check_positive({name: getattr(text, name, None) for name in _POSITIVE}, name_or_path)
    heads, width = known.get("num_attention_heads"), known.get("hidden_size")
    own = text.to_diff_dict()
    if heads and width and width % heads and not any(part in name for part in _OTHER_HEADS for name in own):
        _refuse(name_or_path, f"num_attention_heads = {heads}, which does not divide hidden_size = {width}")
    groups = known.get("num_key_value_heads")
    if heads and groups and max(heads, groups) % min(heads, groups):
        _refuse(
            name_or_path,
            f"num_key_value_heads = {groups}, which does not divide num_attention_heads = {heads}",
        )
    if Path(name_or_path).is_dir():
        _check_against_files(known, Path(name_or_path))


def _check_positive(numbers: Mapping[str, object], name_or_path: str | Path) -> dict[str, int]:
    """Return those that are whole numbers, and refuse one below 1."""
    known = {name: value for name, value in numbers.items() if isinstance(value, int)}
    for name, value in known.items():
        if value < 1:
            _refuse(name_or_path, f"{name} = {value}, where a whole number from 1 on should be")
    return known


def _check_against_files(known: dict[str, int], folder: Path) -> None:
    """Refuse numbers that need far more parameters than the files hold, before room is made for them."""
    try:
        tensors, held = len(headers(folder)), count_weights(folder)
    except DataError as error:
        raise DataError(f"cannot load a model from {folder}: {error}") from error
    layers, width = known.get("num_hidden_layers", 0), known.get("hidden_size", 0)
    if layers > tensors:
        _refuse(
            folder, f"num_hidden_layers = {layers}, and its files hold {tensors} parameters, layers or not"
        )
    for name in ("vocab_size", "hidden_size"):
        if known.get(name, 0) * width > _PACKED * held:
            _refuse(
                folder, f"{name} = {known[name]}, and its files hold {held} numbers in all, which is too few"
            )


def _refuse(name_or_path: str | Path, what: str) -> NoReturn:
    raise DataError(f"cannot load a model from {name_or_path}: config.json says {what}; mend config.json")
