"""A model with its tokenizer, loaded from a folder or from the Hugging Face hub."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from transformers import PreTrainedModel

from unequal.models.compute_settings import ComputeSettings, Precision, Scheme
from unequal.models.load import load_model, load_tokenizer
from unequal.models.precision import compile_body

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Checkpoint(NamedTuple):
    """A loaded causal language model and its tokenizer."""

    model: PreTrainedModel
    tokenizer: "PreTrainedTokenizerBase"


def load(
    name_or_path: str | Path,
    *,
    precision: Precision = "fp32",
    quantise: Scheme | None = None,
    compile: bool = False,
    merge_adapter: bool = False,
) -> Checkpoint:
    """Return the model, in evaluation mode on this process's device, and its tokenizer.

    With ``quantise`` its linear layers are kept in 8 or 4 bits; with ``compile`` torch compiles it; with
    ``merge_adapter`` an adapter that lies beside its parameters is added to them. Raises `DataError` for what
    is no whole causal language model, see `load_model` and `load_tokenizer`.
    """
    model = load_model(name_or_path, quantise, precision, merge_adapter)
    if compile:
        compile_body(model)
    return Checkpoint(model, load_tokenizer(name_or_path))


def load_with(name_or_path: str | Path, settings: ComputeSettings) -> Checkpoint:
    """Return a model and its tokenizer as `load` does, by the settings of a command."""
    return load(
        name_or_path,
        precision=settings.precision,
        compile=settings.compile,
        merge_adapter=settings.merge_adapter,
    )
