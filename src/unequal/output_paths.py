"""Checks of output paths before any work: against the inputs of the command and existing files."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from glob import glob
from itertools import combinations
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from unequal import distributed_env
from unequal.errors import ConfigError
from unequal.files import check_replaceable, probe_folder

LONGEST_NAME = 200
"""Maximum bytes of an output's name; files beside it have longer names, and file systems allow 255."""

GLOBS = ("corpus",)
MODELS = ("model", "before", "after", "reference")
"""Settings that hold a folder or the name of a model on the hub."""

WRITTEN = ("out", "report", "shard_counts", "index_dir", "cache")
"""Settings that hold output or cache paths."""

Inputs = Mapping[str, Path | Iterable[Path] | None]
"""Input paths by flag."""


@dataclass(frozen=True)
class Output:
    """An output path: a ``file``, a ``folder`` for files, or a folder that is replaced as a ``whole``.

    With ``made``, only a folder that is an earlier result (it has the file of this name) may be replaced;
    without, any folder.
    """

    path: Path
    flag: str = "--out"
    kind: Literal["file", "folder", "whole"] = "file"
    made: str = ""


def check_outputs(outputs: Sequence[Output], inputs: Inputs) -> None:
    """Check that outputs can be written and overwrite no input; raises `ConfigError` or `DataError`."""
    read = [(flag, path) for flag, given in inputs.items() for path in _paths(given)]
    for output in outputs:
        _check_name(output)
        for flag, path in read:
            _check_apart(output, flag, path)
    for one, other in combinations(outputs, 2):
        if _is_same(one.path, other.path):
            raise ConfigError(
                f"{other.flag} {other.path} is {one.flag} too; choose different places for them"
            )
    for output in outputs:
        _check_kind(output)
    if distributed_env.is_main_process():  # of several processes one tries
        folders = {
            one.path if one.kind == "folder" else one.path.parent: one.flag for one in reversed(outputs)
        }
        for folder, flag in folders.items():
            probe_folder(folder, flag)


def inputs_of(settings: BaseModel) -> dict[str, list[Path]]:
    """Return the input files and folders of settings, by flag."""
    found: dict[str, list[Path]] = {}
    for name, value in settings:
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, BaseModel):
            found |= {f"{name}.{key[2:]}": paths for key, paths in inputs_of(value).items()}
        elif isinstance(value, Path) and name not in WRITTEN:
            found[flag] = [value]
        elif isinstance(value, str) and name in MODELS:
            found[flag] = [Path(value)]
        elif isinstance(value, str) and name in GLOBS and "://" not in value:
            pattern = str(Path(value).expanduser())
            with suppress(ValueError, OSError):  # the command itself says it better
                found[flag] = [Path(value), *map(Path, glob(pattern, recursive=True))]  # noqa: PTH207
    return found


def check_settings(settings: BaseModel, more: Inputs | None = None) -> None:
    """Check the ``outputs()`` of settings against their inputs and those in ``more``."""
    outputs: Sequence[Output] = getattr(settings, "outputs", tuple)()
    if outputs:
        check_outputs(outputs, inputs_of(settings) | dict(more or {}))


def beside_of(path: Path, end: str) -> Path:
    """Return the path beside a file or folder with the same name and another ending."""
    return path.parent / f"{path.name}.{end}"


def files_in(folder: Path, *inner: str) -> list[Path]:
    """Return the files of a folder and of some of its subfolders, except report pages."""
    with suppress(OSError):
        places = [folder, *(folder / name for name in inner)]
        found = [path for place in places if place.is_dir() for path in place.iterdir()]
        return [path for path in found if path.is_file() and not path.name.endswith((".html", ".facts.js"))]
    return []


def _paths(given: Path | Iterable[Path] | None) -> Iterator[Path]:
    if isinstance(given, Path):
        yield given
    elif given is not None:
        yield from given


def _check_name(output: Output) -> None:
    said = f"{output.flag} {str(output.path)!r}"
    if "\0" in str(output.path):
        raise ConfigError(f"{said} holds a NUL character, which no path can; choose another")
    if len(os.fsencode(output.path.name)) > LONGEST_NAME:
        raise ConfigError(f"{output.flag}: a name of more than {LONGEST_NAME} bytes; choose a shorter one")
    place = _resolved(output.path)
    if output.kind != "folder" and (place == Path.cwd() or place in Path.cwd().parents):
        what = "a file" if output.kind == "file" else "a folder of its own, which is replaced as a whole"
        raise ConfigError(f"{output.flag} {output.path} is the folder you are in, or one above; name {what}")


def _check_apart(output: Output, flag: str, path: Path) -> None:
    """Refuse an output that is an input, or a folder to be replaced that holds one."""
    if _is_same(output.path, path):
        raise ConfigError(
            f"{output.flag} {output.path} is what {flag} names, which would be written over; choose another"
            f" {output.flag}"
        )
    if output.kind == "whole" and _is_inside(path, output.path):
        raise ConfigError(
            f"{output.flag}: {output.path} is replaced as a whole, and what {flag} names ({path}) is in it;"
            f" choose another {output.flag}"
        )


def _check_kind(output: Output) -> None:
    """Refuse a folder where a file is expected, and the other way round."""
    path, flag = output.path, output.flag
    try:
        exists = os.path.lexists(path)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror or error}; choose another {flag}") from error
    if output.kind == "file":
        if path.is_dir():
            raise ConfigError(f"cannot write {path}: it is a folder; choose another {flag}")
        if path.exists() and not path.is_file():
            raise ConfigError(f"cannot write {path}: it is no ordinary file; choose another {flag}")
    elif exists and not path.is_dir():
        raise ConfigError(f"cannot write into {path}: it is a file; name a folder with {flag}")
    elif output.kind == "whole" and output.made:
        check_replaceable(path, output.made)


def _resolved(path: Path) -> Path:
    """Return the absolute path with links resolved as far as possible."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # a loop of links
        return path.absolute()


def _is_same(one: Path, other: Path) -> bool:
    """Return whether two paths name the same file, also by links or on case-insensitive file systems."""
    with suppress(OSError, ValueError):
        return one.samefile(other)
    first, second = _resolved(one), _resolved(other)
    if first == second:
        return True
    alike = first.name.casefold() == second.name.casefold()
    return alike and _is_same_folder(first.parent, second.parent) and _ignores_case(first.parent)


def _is_same_folder(one: Path, other: Path) -> bool:
    with suppress(OSError):
        return one.samefile(other)
    return one == other


def _ignores_case(folder: Path) -> bool:
    """Return whether the file system is case-insensitive."""
    for place in (folder, *folder.parents):
        swapped = place.with_name(place.name.swapcase()) if place.name else place
        if swapped != place:
            with suppress(OSError):
                return place.samefile(swapped)
            if place.exists():
                return False
    return False


def _is_inside(path: Path, folder: Path) -> bool:
    """Return whether a path is below a folder, with or without links resolved."""
    with suppress(ValueError, OSError):
        if not path.exists() or not folder.is_dir():
            return False
        parents = {*_resolved(path).parents, *Path(os.path.abspath(path)).parents}  # noqa: PTH100
        return any(_is_same_folder(parent, folder) for parent in parents)
    return False
