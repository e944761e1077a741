"""Code that task files of a folder would run: found before anything runs, refused unless it is allowed."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from jinja2 import BaseLoader, StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from unequal.errors import ConfigError, DataError, first_line
from unequal.lm_eval_bridge.export import LOADER
from unequal.models.reasons import TRUSTED

FUNCTION = "!function"
CORE = "tag:yaml.org,2002:"
RUNS_CODE = {"pandas", "spark", "sql", "generator"}
"""Builders of ``datasets`` that unpickle, call or query what a task file names."""

_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class CodeFoundError(Exception):
    """A task file would run code; the text says which."""


class _TaskLoader(_SafeLoader):  # type: ignore[misc]
    """Reads a task file without looking up the functions that it names."""


_TaskLoader.add_constructor(FUNCTION, lambda loader, node: f"{FUNCTION} {loader.construct_scalar(node)}")


def check_task_folder(folder: Path) -> None:
    """Raise `ConfigError` when its task files would run code, unless the user has allowed the folder by name.

    The loader that `export_tasks` writes, and nothing but it, is known not to be code of somebody else.
    Raises `DataError` when there is no such folder or a task file cannot be read.
    """
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}; give a folder with lm-eval's task files (.yaml)")
    if may_run_code(folder):
        return
    seen: set[Path] = set()
    try:
        for path in sorted(folder.glob("**/*.yaml")):
            _check_file(path, folder.resolve(), seen)
    except CodeFoundError as found:
        raise ConfigError(
            f"the tasks in {folder} come with code of their own, which is not run: {found}; read that code,"
            f" and where you trust it allow the folder by name: {TRUSTED}={folder}"
        ) from None


def may_run_code(folder: Path) -> bool:
    """Return whether the user has allowed, by its very name, code that comes with a folder of tasks."""
    return str(folder) in os.environ.get(TRUSTED, "").split(",")


@contextmanager
def without_code(folder: Path | None) -> Iterator[None]:
    """While tasks of a folder run that is not allowed to run code: what a check of its files cannot see.

    Templates cannot reach into Python, and compiled Python that lies beside its source is not taken for it.
    """
    if folder is None or may_run_code(folder):
        yield
        return
    from lm_eval import utils

    free, prefix = utils.env, sys.pycache_prefix
    utils.env = SandboxedEnvironment(
        loader=BaseLoader(), undefined=StrictUndefined, keep_trailing_newline=True
    )
    utils.env.filters.update(free.filters)
    with TemporaryDirectory() as own:
        sys.pycache_prefix = own
        try:
            yield
        finally:
            utils.env, sys.pycache_prefix = free, prefix


def _check_file(path: Path, folder: Path, seen: set[Path]) -> None:
    """Raise `CodeFoundError` for the first thing in a file, or in what it includes, that would run code."""
    path = path.resolve()
    if path in seen:
        return
    seen.add(path)
    if not path.is_relative_to(folder):
        raise CodeFoundError(f"{path} is outside the folder")
    try:
        text = path.read_bytes()
        _check_tags(path, text)
        task = yaml.load(text, Loader=_TaskLoader)
    except OSError as error:
        raise DataError(f"cannot read the task file {path}: {error.strerror or error}") from error
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise DataError(f"{path} is no task file that lm-eval can read: {first_line(error)}") from error
    if not isinstance(task, dict):
        return
    _check_values(path, task)
    include = task.get("include") or []
    for part in include if isinstance(include, list) else [include]:
        if not isinstance(part, str):
            raise DataError(f"{path}: include: found {part!r}; it should be the name of a file")
        _check_file(path.parent / part, folder, seen)


def _check_tags(path: Path, text: bytes) -> None:
    """Raise `CodeFoundError` for a tag that has YAML build anything but plain data."""
    for event in yaml.parse(text, Loader=_SafeLoader):
        tag = getattr(event, "tag", None) or CORE
        name = getattr(event, "value", "")
        if tag == FUNCTION and not _is_ours(path, name):
            raise CodeFoundError(f"{path} names the function {name}")
        if tag.startswith(f"{CORE}python/"):
            raise CodeFoundError(f"{path} has YAML make a Python object ({tag.removeprefix(CORE)})")


def _is_ours(path: Path, function: str) -> bool:
    """Return whether a function is the loader that `export_tasks` writes beside its task files."""
    code = path.parent / "load.py"
    return function == "load.load" and code.is_file() and code.read_bytes() == LOADER.encode()


def _check_values(path: Path, task: dict[str, Any]) -> None:
    """Raise `CodeFoundError` for a value, however deep, by which lm-eval or its libraries would run code."""
    for table in _tables(task):
        metric, data = table.get("metric"), table.get("dataset_path")
        if isinstance(data, str) and _is_script(data):
            raise CodeFoundError(f"{path} reads its data by the script {data}")
        if table.get("trust_remote_code"):
            raise CodeFoundError(f"{path} sets trust_remote_code")
        if table.get("hf_evaluate"):
            raise CodeFoundError(f"{path} takes the metric {metric} from the library evaluate")
        if isinstance(metric, str) and not _is_known_metric(metric):
            raise CodeFoundError(f"{path} takes the metric {metric}, which is none of lm-eval's own")


def _tables(task: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every table inside a task once, also where it is part of itself, as YAML can say."""
    waiting: list[Any] = [task]
    seen: set[int] = set()
    while waiting:
        value = waiting.pop()
        if not isinstance(value, dict | list) or id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, dict):
            yield value
        waiting.extend(value.values() if isinstance(value, dict) else value)


def _is_script(path: str) -> bool:
    """Return whether data of this path would be read by code: a script, or a folder with one of its name."""
    name = path.replace(os.sep, "/").rstrip("/").rpartition("/")[2]
    return path.endswith(".py") or path in RUNS_CODE or Path(path, f"{name}.py").is_file()


def _is_known_metric(name: str) -> bool:
    import lm_eval.api.metrics  # noqa: F401  registers them
    from lm_eval.api.registry import METRIC_REGISTRY

    return name.startswith(FUNCTION) or name in METRIC_REGISTRY
