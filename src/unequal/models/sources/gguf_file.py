"""GGUF files as models: dequantised once into a folder of safetensors with tokenizer and chat template."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, logging, modeling_gguf_pytorch_utils

from unequal.checksums import write_checksums
from unequal.console import progress_bar, say
from unequal.errors import DataError, MissingExtraError
from unequal.files import atomic_folder, file_hash, lock_of, locked, write_json
from unequal.models.reasons import explained
from unequal.models.sources.catalogue import SOURCE, cache_folder
from unequal.oom import is_out_of_memory

if TYPE_CHECKING:
    from gguf import GGUFReader
    from transformers import PreTrainedModel

_MAGIC = b"GGUF"
logging.set_verbosity_error()
logging.disable_progress_bar()
_NOT_ARCHITECTURES = {"general", "tokenizer"}


class Header(NamedTuple):
    """What a GGUF file says of itself; ``quantisation`` is the type of most of its tensors."""

    architecture: str
    name: str
    quantisation: str
    add_bos_token: bool | None


def dequantised(file: Path, folder: Path | None = None) -> Path:
    """Return the folder of a GGUF file's model in float32, made when first used.

    It holds ``model.safetensors``, the tokenizer, its chat template and `SOURCE`; by default it is in the
    cache, named by the file's SHA-256. Raises `DataError` for a file that is missing, truncated, no GGUF
    file, or of an architecture that transformers cannot read, `MissingExtraError` without the library gguf.
    """
    if not file.is_file():
        raise DataError(f"there is no file {file}; give a .gguf file, a folder, or a name")
    digest = file_hash(file)
    folder = folder or cache_folder() / f"{file.stem}-{digest[:16]}"
    if (folder / SOURCE).is_file():
        return folder
    with locked(lock_of(folder), f"dequantising {file}", "run the same command again then"):
        if not (folder / SOURCE).is_file():
            with atomic_folder(folder) as made:
                dequantise(file, made, digest)
    return folder


def dequantise(
    file: Path, folder: Path, digest: str, described: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Write a GGUF file's model in float32 into a folder, with ``described`` in its `SOURCE`."""
    header = read_header(file)
    say(f"dequantising {file.name} ({header.quantisation}) into float32")
    with explained("a model", file, ()), _progress_shown(f"dequantising {file.name}"):
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            file.parent, gguf_file=file.name, dtype=torch.float32
        )
        tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    if header.add_bos_token is not None and tokenizer.bos_token is not None:
        tokenizer.add_bos_token = header.add_bos_token  # which transformers does not read from the file
    _without_origin(model).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    record = {"file": file.name, "sha256": digest, **header._asdict(), "dtype": "float32", **described}
    write_json(folder / SOURCE, record)
    write_checksums(folder)


@contextmanager
def _progress_shown(description: str) -> Iterator[None]:
    """Show what transformers has dequantised in a progress bar of ours, which a pipe does not get."""
    with progress_bar(description) as progress:

        def counted(tensors: Sequence[Any], **_: Any) -> Iterator[Any]:
            for done, tensor in enumerate(tensors):
                progress(done, len(tensors))
                yield tensor

        theirs, modeling_gguf_pytorch_utils.tqdm = modeling_gguf_pytorch_utils.tqdm, counted
        try:
            yield
        finally:
            modeling_gguf_pytorch_utils.tqdm = theirs


def _without_origin(model: "PreTrainedModel") -> "PreTrainedModel":
    """Return the model as one that was never quantised, since transformers refuses to save those."""
    config = model.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    plain: PreTrainedModel = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    plain.load_state_dict(model.state_dict(), assign=True)
    plain.tie_weights()
    plain.generation_config = model.generation_config
    return plain


def read_header(file: Path) -> Header:
    """Return what a GGUF file says of itself; raises `DataError` for one that cannot be a model here."""
    try:
        from gguf import GGUFReader
    except ImportError as error:
        raise MissingExtraError("reading a .gguf file", "train") from error
    with file.open("rb") as opened:
        if opened.read(4) != _MAGIC:
            raise DataError(f"{file} is not a GGUF file (it does not begin with GGUF); fetch it again")
    try:
        reader = GGUFReader(file)
        end = max((one.data_offset + one.n_bytes for one in reader.tensors), default=0)
    except Exception as error:  # whatever reading beyond the end of a memory map raises
        if is_out_of_memory(error):
            raise
        raise DataError(f"{file} is damaged or truncated ({_bytes(file)}); fetch it again") from error
    if not reader.tensors or end > file.stat().st_size:
        raise DataError(f"{file} is truncated: it has {_bytes(file)} and should have {end:,}; fetch it again")
    architecture = str(_value(reader, "general.architecture"))
    known = sorted(set(modeling_gguf_pytorch_utils.GGUF_SUPPORTED_ARCHITECTURES) - _NOT_ARCHITECTURES)
    if architecture not in known:
        raise DataError(
            f"{file} holds a model of architecture '{architecture}', which transformers cannot read from"
            f" GGUF (it can read {', '.join(known)}); give the model as a folder of safetensors"
        )
    kinds = [one.tensor_type.name for one in reader.tensors]
    name = str(_value(reader, "general.name") or file.stem)
    add_bos = _value(reader, "tokenizer.ggml.add_bos_token")
    return Header(architecture, name, max(kinds, key=kinds.count), add_bos)


def _value(reader: "GGUFReader", key: str) -> Any:
    field = reader.fields.get(key)
    return field.contents() if field else None


def _bytes(file: Path) -> str:
    return f"{file.stat().st_size:,} bytes"
