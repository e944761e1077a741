"""Why a model or tokenizer cannot be loaded, in one sentence, whatever transformers raises."""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import transformers

from unequal.errors import DataError, UserError
from unequal.oom import is_out_of_memory

TRUSTED = "UNEQUAL_TRUST_REMOTE_CODE"
"""The environment variable that names, between commas, models whose own code may run."""
MODEL_FILES = ("config.json", "generation_config.json", "model.safetensors.index.json")
TOKENIZER_FILES = (
    "tokenizer_config.json",
    "tokenizer.json",
    "special_tokens_map.json",
    "added_tokens.json",
)
_LONGEST = 300  # characters of another library's message
_SAY_LITTLE = (AttributeError, TypeError, LookupError, ArithmeticError, AssertionError, RecursionError)


@contextmanager
def explained(what: str, name_or_path: str | Path, files: Sequence[str]) -> Iterator[None]:
    """Turn whatever goes wrong in transformers while the block runs into a `DataError` that says why.

    ``files`` are those that are looked at then, to name one that is broken. Shortage of memory and what
    ends the program stay what they are.
    """
    try:
        yield
    except BaseException as error:
        if isinstance(error, UserError) or is_out_of_memory(error) or _ends_the_program(error):
            raise
        why = reason_of(error, name_or_path, files)
        raise DataError(f"cannot load {what} from {name_or_path}: {why}") from error


def reason_of(error: BaseException, name_or_path: str | Path, files: Sequence[str] = ()) -> str:
    """Return why a model cannot be loaded, and for one with code of its own the way out."""
    if "trust_remote_code" in str(error) or "custom code" in str(error):
        return (
            "it comes with code of its own, which is not run; read that code, and where you trust it allow it"
            f" by name: {TRUSTED}={name_or_path}"
        )
    folder = Path(name_or_path)
    broken = (no_object(folder / name) for name in files)
    return next((said for said in broken if said), None) or _unknown_value(error, folder) or said_by(error)


def no_object(path: Path) -> str | None:
    """Return what is wrong with a file that should be a JSON object; None for a good one, or for no file."""
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        return f"{path.name} is not valid JSON ({said_by(error)}); fetch it again"
    if not isinstance(found, dict):
        kind = type(found).__name__
        return f"{path.name} holds a {kind}, where JSON of names and values should be; fetch it again"
    return None


def said_by(error: BaseException) -> str:
    """Return what an error says as one line, with its type where the message alone says little."""
    first = error.args[0] if isinstance(error, LookupError) and error.args else error
    lines = [line.strip() for line in str(first).strip().splitlines() if line.strip()]
    text = lines[0] if lines else ""
    for line in lines[1:]:
        if not text.endswith(":"):
            break
        text = f"{text} {line}"
    text = re.sub(r"\s+", " ", text)
    if type(error) is Exception:  # what tokenizers raises for a file of another version
        text = f"its tokenizer.json is damaged or of a newer format than this version reads ({text})"
    if isinstance(error, ImportError):
        text = f"it needs a library that is not installed ({text.rstrip('.')})"
    text = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    if not text or isinstance(error, _SAY_LITTLE):
        kind = type(error).__name__
        return f"transformers {transformers.__version__} ends with {kind}" + (f": {text}" if text else "")
    return text


def _unknown_value(error: BaseException, folder: Path) -> str | None:
    """Return where the configuration holds the very name that a table of transformers lacks."""
    if not isinstance(error, KeyError) or not error.args:
        return None
    with suppress(OSError, ValueError, RecursionError):
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        place = next((place for place, value in _values(config) if value == error.args[0]), None)
        if place:
            return (
                f"config.json says {place} = {json.dumps(error.args[0])}, which transformers"
                f" {transformers.__version__} does not know"
            )
    return None


def _values(config: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted places of a configuration with their values."""
    if isinstance(config, Mapping):
        for name, value in config.items():
            yield from _values(value, f"{place}.{name}" if place else str(name))
    else:
        yield place, config


def _ends_the_program(error: BaseException) -> bool:
    """Return whether this is no fault but an order to stop; a panic of a library in Rust is a fault."""
    return not isinstance(error, Exception) and type(error).__name__ != "PanicException"


def may_run_code(name_or_path: str | Path) -> bool:
    """Return whether the user has allowed, by its very name, code that comes with a model."""
    return str(name_or_path) in os.environ.get(TRUSTED, "").split(",")
