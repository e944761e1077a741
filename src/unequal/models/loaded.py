"""Checks of a loaded model against its files: no parameter unused, missing, misshapen or not finite."""

import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from traceback import walk_tb
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.quantizers.auto import AUTO_QUANTIZATION_CONFIG_MAPPING
from transformers.utils.loading_report import LoadStateDictInfo

from unequal.errors import DataError
from unequal.models.configuration import text_config
from unequal.models.hub_snapshot import headers
from unequal.models.reasons import said_by

_LEFTOVERS = re.compile(r"(^|\.)(inv_freq|cos_cached|sin_cached|position_ids|masked_bias|_extra_state)$")
"""Buffers that older versions of transformers and torch saved and nobody reads."""
_MASK = re.compile(r"(^|\.)(attn|attention|self_attention|crossattention)\.bias$")
_NO_NUMBERS = ("BOOL", "C64")  # dtypes that no parameter is stored in


def check_used(model: PreTrainedModel, report: Mapping[str, Any], name_or_path: str | Path) -> None:
    """Raise `DataError` for parameters that the file lacks, or holds and the class does not take.

    ``report`` is the loading info of transformers, from which a class's own exceptions are taken already.
    """
    stored = _stored(name_or_path)
    missing = sorted(report["missing_keys"])  # transformers fills them with random numbers
    unused = [name for name in sorted(report["unexpected_keys"]) if not _is_leftover(name, stored)]
    other = [f"the file holds {len(unused)} others, such as {unused[0]}"] if unused else []
    if missing:
        lost = f"{_count(missing)} {_are(missing)} missing, such as {missing[0]}"
        _refuse(name_or_path, "; ".join([lost, *other]))
    if unused:
        kind = type(model).__name__
        said = f"{_count(unused)} of its files would not be used by {kind}, such as {unused[0]}"
        _refuse(name_or_path, f"{said}: {_advice(unused, model, name_or_path)}")
    _check_dtypes(model, stored, name_or_path)


def check_finite(model: PreTrainedModel, name_or_path: str | Path) -> None:
    """Raise `DataError` when parameters or buffers are NaN or infinite, with their number and the first.

    A buffer may hold -∞, as masks do.
    """
    wrong = [name for name, values in model.named_parameters() if not _is_finite(values)]
    wrong += [name for name, values in model.named_buffers() if not _is_finite(values, below=True)]
    if wrong:
        own = dict(model.named_parameters())
        values = own.get(wrong[0], dict(model.named_buffers()).get(wrong[0]))
        what = "NaN" if values is not None and values.isnan().any() else "infinite"
        said = f"{_count(wrong)} {_are(wrong)} not finite, such as {wrong[0]} ({what})"
        advice = (
            "fetch or train the model again" if wrong[0] in own else "look for a wrong number in config.json"
        )
        _refuse(name_or_path, f"{said}; {advice}")


def broken_load(error: BaseException) -> str | None:
    """Return which parameters have another shape or cannot be converted, where that is why loading failed.

    The message of transformers refers to a report that it logs; the report is in the frames of the error.
    """
    for frame, _ in walk_tb(error.__traceback__):
        for value in frame.f_locals.values():
            if isinstance(value, LoadStateDictInfo):
                if value.mismatched_keys:
                    return _shapes(value.mismatched_keys)
                if value.conversion_errors:
                    name, text = sorted(value.conversion_errors.items())[0]
                    n = len(value.conversion_errors)
                    return (
                        f"{n} parameters cannot be put together, such as {name} ({said_by(ValueError(text))})"
                    )
    return None


def _shapes(mismatched: Iterable[tuple[str, Iterable[int], Iterable[int]]]) -> str:
    found = sorted((name, tuple(stored), tuple(wanted)) for name, stored, wanted in mismatched)
    name, stored, wanted = found[0]
    n = "1 parameter has" if len(found) == 1 else f"{len(found)} parameters have"
    return (
        f"{n} another shape in the file than config.json says, such as {name}"
        f" ({' × '.join(map(str, stored))} in the file, {' × '.join(map(str, wanted))} by config.json)"
    )


def _is_finite(values: Tensor, below: bool = False) -> bool:
    """Return whether all values are finite, in one pass that makes no copy; ``below`` allows -∞."""
    if not values.is_floating_point() or values.numel() == 0 or values.is_meta:
        return True
    values = values.detach() if values.element_size() > 1 else values.detach().float()
    low, high = (one.item() for one in torch.aminmax(values))
    return low == low and high < torch.inf and (below or low > -torch.inf)


def _stored(name_or_path: str | Path) -> dict[str, dict[str, Any]]:
    return headers(Path(name_or_path)) if Path(name_or_path).is_dir() else {}


def _is_leftover(name: str, stored: Mapping[str, Mapping[str, Any]]) -> bool:
    """Return whether an unused tensor is a buffer of an older version, such as a mask (1, 1, n, n)."""
    if _LEFTOVERS.search(name):
        return True
    if not _MASK.search(name):
        return False
    found = next((tensor for key, tensor in stored.items() if key.endswith(name) or name.endswith(key)), None)
    return found is not None and (len(found["shape"]) == 4 or found["dtype"] in ("BOOL", "U8"))


def _advice(unused: Collection[str], model: PreTrainedModel, name_or_path: str | Path) -> str:
    """Return what the unused parameters are likely to be and what to do."""
    depth = getattr(text_config(model), "num_hidden_layers", 0)
    deeper = [
        int(found) for name in unused for found in re.findall(r"\.(?:layers|h|blocks)\.(\d+)\.", f".{name}")
    ]
    resave = (
        "where the model is meant without them, save it so: AutoModelForCausalLM.from_pretrained"
        f"({str(name_or_path)!r}).save_pretrained(NEW)"
    )
    if any("lora_" in name or ".ia3_" in name for name in unused):
        return "they are those of an adapter; merge it into the model and save that"
    if _scheme(model) or any(re.search(r"scale|zero|absmax|quant", name) for name in unused):
        scheme = f" ({_scheme(model)})" if _scheme(model) else ""
        return (
            f"the model is quantised in a way that is not read{scheme}; take it in 16 or 32 bits a parameter"
        )
    if any(re.search(r"(^|\.)(mtp|nextn|medusa)", name) for name in unused):
        return f"they predict tokens after the next one, which is not asked for; {resave}"
    if any(re.search(r"vision|visual|image|audio|multi_modal|mm_proj", name) for name in unused):
        return f"they are of a part for pictures or sound, which is not asked for; {resave}"
    if deeper and max(deeper) >= depth:
        return f"config.json says num_hidden_layers = {depth}; mend config.json, or {resave}"
    if all(name.endswith(".bias") for name in unused):
        return "config.json says that there are no such biases; mend config.json"
    return f"another model than that of the files would be judged; mend config.json, or {resave}"


def _check_dtypes(
    model: PreTrainedModel, stored: Mapping[str, Mapping[str, Any]], name_or_path: str | Path
) -> None:
    """Refuse numbers that stand for others: integers without what turns them back, and unknown schemes."""
    scheme = _scheme(model)
    if scheme and not any(name.startswith(scheme) for name in AUTO_QUANTIZATION_CONFIG_MAPPING):
        known = "take the model in 16 or 32 bits a parameter"
        _refuse(name_or_path, f"it is quantised by {scheme!r}, which transformers does not know; {known}")
    if scheme:
        return
    plain = {name for name, values in model.state_dict().items() if values.is_floating_point()}
    wrong = [
        name
        for name, tensor in sorted(stored.items())
        if name in plain and (tensor["dtype"] in _NO_NUMBERS or re.fullmatch(r"[IU]\d+", tensor["dtype"]))
    ]
    if wrong:
        dtype = stored[wrong[0]]["dtype"]
        said = (
            f"{_count(wrong)} {_are(wrong)} stored as {dtype} and not in floating point, such as {wrong[0]}"
        )
        _refuse(name_or_path, f"{said}; take the model in 16 or 32 bits a parameter")


def _scheme(model: PreTrainedModel) -> str | None:
    """Return by what name a model's configuration says that it is quantised."""
    found = getattr(model.config, "quantization_config", None)
    if found is None:
        return None
    settings = found if isinstance(found, Mapping) else found.to_dict()
    named = settings.get("quant_method")
    return str(getattr(named, "value", named))


def _count(names: Collection[str]) -> str:
    return "1 parameter" if len(names) == 1 else f"{len(names)} parameters"


def _are(names: Collection[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _refuse(name_or_path: str | Path, why: str) -> None:
    raise DataError(f"cannot load a model from {name_or_path}: {why}")
