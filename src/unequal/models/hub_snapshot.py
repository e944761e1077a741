"""Snapshots of published models on this machine: files, hashes, and checks that they are safe to load."""

import json
import re
from collections.abc import Iterable
from fnmatch import fnmatch
from functools import lru_cache
from hashlib import sha256
from math import prod
from pathlib import Path
from typing import Any, Literal, NoReturn

from unequal.errors import DataError, MissingExtraError
from unequal.files import content_hash, file_hash
from unequal.progress import Progress
from unequal.records import read_object
from unequal.strict import StrictModel

WEIGHTS = "*.safetensors"
PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.pickle")
SMALL = ("*.json", "*.model", "*.txt", "*.jinja")
"""Files beside the parameters that a model or its tokenizer may need; code is not among them."""
ADAPTER_SETTINGS = "adapter_config.json"
ADAPTER_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
SAMPLES = 64
BLOCK = 1 << 16


class SnapshotFile(StrictModel):
    """One file of a model, as it was when it was hashed."""

    name: str
    size: int
    modified_ns: int
    sha256: str


class Snapshot(StrictModel):
    """A model's files on this machine, its revision on the hub if it came from there, and what it is."""

    folder: Path
    revision: str | None
    files: tuple[SnapshotFile, ...]
    model_type: str
    n_weights: int

    def verified(self) -> Path:
        """Return the folder; raises `DataError` when a file is gone or no longer has its hash.

        A file of the same size and time of change is taken to be the same.
        """
        for known in self.files:
            path = self.folder / known.name
            try:
                found = path.stat()
                same = (found.st_size, found.st_mtime_ns) == (known.size, known.modified_ns)
                if same or file_hash(path) == known.sha256:
                    continue
            except OSError as error:
                raise DataError(f"cannot read {path}: {error.strerror or error}") from error
            raise DataError(
                f"{path} is not the file that the study began with (its SHA-256 was {known.sha256[:12]}…);"
                " put that one back, or begin anew in another --out"
            )
        return self.folder


def take_snapshot(model: str, revision: str | None, progress: Progress | None = None) -> Snapshot:
    """Return the files of a model from a folder or the hub, downloaded if need be, with their hashes.

    Raises `DataError` when it is unavailable or its parameters are pickled, which unequal never loads.
    """
    folder, commit = (Path(model), None) if is_folder(model) else _download(model, revision)
    found = _files(folder)
    check_safe(model, (path.name for path in found))
    paths = [path for path in found if _is_wanted(path.name)]
    known = []
    for done, path in enumerate(paths):
        if progress:
            progress(done, len(paths))
        status = path.stat()
        known.append(
            SnapshotFile(
                name=path.name,
                size=status.st_size,
                modified_ns=status.st_mtime_ns,
                sha256=file_hash(path),
            )
        )
    config = read_object(folder / "config.json", "fetch the model again")
    return Snapshot(
        folder=folder.absolute(),
        revision=commit,
        files=tuple(known),
        model_type=str(config.get("model_type", "unknown")),
        n_weights=count_weights(folder),
    )


def is_folder(model: str) -> bool:
    """Return whether the model is a folder rather than a hub name; raises `DataError` for a missing path."""
    path = Path(model)
    if path.is_dir():
        return True
    if path.is_absolute() or not re.fullmatch(r"[\w.-]+/[\w.-]+", model) or model.startswith("."):
        raise DataError(f"there is no folder {model}; give a folder that holds a model, or a hub name")
    return False


def check_safe(model: str, names: Iterable[str]) -> None:
    """Raise `DataError` unless a model's files hold its settings, and parameters as safetensors."""
    names = list(names)
    adapted = has_adapter(names)
    own = [name for name in names if name not in ADAPTER_WEIGHTS]
    whole = any(fnmatch(name, kind) for name in own for kind in (WEIGHTS, "pytorch_model*.bin"))
    if adapted and not ("config.json" in names and whole):
        raise DataError(
            f"{model} holds an adapter and not the model that it changes; merge the two with peft:"
            " AutoPeftModelForCausalLM.from_pretrained(FOLDER).merge_and_unload().save_pretrained(NEW), and"
            " copy the tokenizer's files to NEW too"
        )
    names = own
    if any(fnmatch(name, WEIGHTS) for name in names) and "config.json" in names:
        return
    if "config.json" not in names:
        raise DataError(f"{model} does not hold a model (no config.json)")
    pickled = sorted(name for name in names if any(fnmatch(name, kind) for kind in PICKLED))
    if pickled:
        raise DataError(
            f"{model} holds pickled weights only ({pickled[0]}), which can run code when they are loaded;"
            " convert them to safetensors where you trust them, or choose a revision that has them"
        )
    raise DataError(f"{model} holds no weights ({WEIGHTS})")


def has_adapter(names: Iterable[str]) -> bool:
    """Return whether an adapter is among a model's files."""
    return any(name in (ADAPTER_SETTINGS, *ADAPTER_WEIGHTS) for name in names)


def refuse_adapter(model: str) -> NoReturn:
    """Raise `DataError` for an adapter beside a model, unless it is to be merged."""
    raise DataError(
        f"{model} holds an adapter ({ADAPTER_SETTINGS}) beside the model's own parameters, so it is not clear"
        " which model is meant; give --merge-adapter (in a file: merge_adapter = true) to add it to them, or"
        " move its files away"
    )


def fingerprint(folder: Path) -> str:
    """Return a hash that tells a model folder's content from another's without reading all of it.

    It rests on the whole small files and, of parameters, on file size, header and evenly spaced blocks.
    Raises `DataError` for a folder without a model or with only pickled parameters.
    """
    paths = _files(folder)
    check_safe(str(folder), (path.name for path in paths))
    stamp = tuple((path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in paths)
    return _fingerprint(folder, stamp)


def count_weights(folder: Path) -> int:
    """Return how many numbers the weight files of a folder hold, by their headers, without an adapter's."""
    return sum(_size(tensor) for tensor in headers(folder).values())


def headers(folder: Path) -> dict[str, dict[str, Any]]:
    """Return dtype and shape of each tensor in a folder's parameter files, except those of an adapter."""
    files = (path for path in _files(folder) if fnmatch(path.name, WEIGHTS))
    return {
        name: tensor
        for path in files
        if path.name not in ADAPTER_WEIGHTS
        for name, tensor in _tensors(path).items()
    }


def named_weights(name: str) -> int | None:
    """Return the number of parameters in a name such as ``pythia-1.4b-deduped``, None where it has none."""
    found = re.search(r"(?<![A-Za-z0-9.])(\d+(?:\.\d+)?)([mMbB])(?![A-Za-z0-9])", name)
    return None if found is None else round(float(found[1]) * {"m": 1e6, "b": 1e9}[found[2].lower()])


def hub_files(
    name: str, revision: str | None, kind: Literal["model", "dataset"] = "model"
) -> tuple[str, dict[str, int]]:
    """Return the commit of a model or data set on the hub, and the sizes in bytes of what would be loaded.

    Raises `DataError` when the hub cannot be reached or lacks it, or when a model's parameters are pickled.
    """
    try:
        from huggingface_hub import HfApi
    except ImportError as error:
        raise MissingExtraError(f"fetching {name}", "train") from error
    try:
        ask = HfApi().model_info if kind == "model" else HfApi().dataset_info
        found = ask(name, revision=revision, files_metadata=True)
    except Exception as error:  # the library has errors for every trouble, and passes on those of others
        raise DataError(_trouble(name, revision, error)) from error
    sizes = {one.rfilename: one.size or 0 for one in found.siblings or ()}
    if kind == "model":
        check_safe(name, sizes)
        sizes = {file: size for file, size in sizes.items() if _is_wanted(file)}
    return str(found.sha), sizes


def cached_folder(model: str, revision: str | None) -> Path | None:
    """Return the folder of a model that was downloaded before and is whole, None where there is none."""
    try:
        from huggingface_hub import snapshot_download

        folder = snapshot_download(
            model, revision=revision, local_files_only=True, allow_patterns=[WEIGHTS, *SMALL]
        )
    except Exception:  # whatever keeps it from being used keeps it from being counted on
        return None
    names = [path.name for path in _files(Path(folder))]
    whole = any(fnmatch(name, WEIGHTS) for name in names) and "config.json" in names
    return Path(folder) if whole else None


def _download(model: str, revision: str | None) -> tuple[Path, str]:
    """Return the folder and the commit of a hub model; without network, those of an earlier download."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()  # whoever asks for a snapshot shows progress of his own
    try:
        _, wanted = hub_files(model, revision)
    except DataError:
        cached = cached_folder(model, revision)
        if cached is None:
            raise
        return cached, cached.name
    try:
        folder = snapshot_download(model, revision=revision, allow_patterns=sorted(wanted))
    except Exception as error:
        raise DataError(_trouble(model, revision, error)) from error
    return Path(folder), Path(folder).name


def _trouble(model: str, revision: str | None, error: Exception) -> str:
    """Return what went wrong with the hub, and what to do, in one sentence."""
    from huggingface_hub import errors

    reasons = {
        errors.GatedRepoError: "access to it must be granted; ask for it on its page, then: hf auth login",
        errors.RevisionNotFoundError: "it has no such revision; name a commit, tag or branch that it has",
        errors.RepositoryNotFoundError: "there is none of that name, or it is private; check the name, or log"
        " in with: hf auth login",
    }
    first = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".:")
    known = (reason for kind, reason in reasons.items() if isinstance(error, kind))
    why = next(known, f"{first}; check the connection, or give a folder")
    what = model if revision is None else f"{model} at {revision}"
    return f"cannot fetch {what} from the hub: {why}"


def _is_wanted(name: str) -> bool:
    return "/" not in name and any(fnmatch(name, kind) for kind in (WEIGHTS, *SMALL))


def _files(folder: Path) -> list[Path]:
    """Return the files of a model folder, without folders below it."""
    try:
        return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    except OSError as error:
        raise DataError(f"cannot read {folder}: {error.strerror or error}") from error


@lru_cache(maxsize=64)
def _fingerprint(folder: Path, stamp: tuple[tuple[str, int, int], ...]) -> str:
    parts = []
    for name, size, _ in stamp:
        if fnmatch(name, WEIGHTS):
            parts.append([name, size, _sampled(folder / name, size)])
        elif _is_wanted(name):
            parts.append([name, size, file_hash(folder / name)])
    return content_hash(parts)


def _sampled(path: Path, size: int) -> str:
    """Return the hash of a file's header and of evenly spaced blocks, the last one among them."""
    digest = sha256(_header(path))
    with path.open("rb") as file:
        for sample in range(SAMPLES):
            file.seek(max(0, size - BLOCK) * sample // (SAMPLES - 1))
            digest.update(file.read(BLOCK))
    return digest.hexdigest()


def _header(path: Path) -> bytes:
    """Return the JSON at the start of a safetensors file; raises `DataError` for a broken file."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = file.read(length) if length <= path.stat().st_size else b""
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    if not header.startswith(b"{"):
        raise DataError(f"{path} is not a safetensors file; fetch it again")
    return header


def _tensors(path: Path) -> dict[str, dict[str, Any]]:
    try:
        tensors = json.loads(_header(path))
        return {str(name): dict(tensor) for name, tensor in tensors.items() if name != "__metadata__"}
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{path} is not a safetensors file; fetch it again") from error


def _size(tensor: dict[str, Any]) -> int:
    return prod(int(length) for length in tensor["shape"])
