"""Checks of a tokenizer and its fit to a model, and its padding token."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from unequal.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_OWN = "_own_pad_token"
_USED = ("bos_token", "eos_token", "cls_token", "sep_token")
"""Special tokens that are put around text."""
_VOCABULARIES = ("*.model", "*.tiktoken", "*.bpe", "tekken.json", "vocab.json", "vocab.txt")
_NEEDED = ("vocab_file", "merges_file")


def check_tokenizer_files(folder: Path) -> None:
    """Raise `DataError` for a folder without a tokenizer."""
    if (folder / "tokenizer_config.json").is_file():
        return
    either = "" if (folder / "tokenizer.json").is_file() else ", and no tokenizer.json either"
    raise DataError(
        f"{folder} does not hold a tokenizer (no tokenizer_config.json){either}; copy the tokenizer's files"
        " into it from where the model comes from"
    )


def check_vocabulary(folder: Path, kind: type | None) -> None:
    """Raise `DataError`, which names the files, when a folder lacks the tokenizer's vocabulary.

    ``kind`` is the tokenizer's class, which may read other files than tokenizer.json; None where not even
    that is known.
    """
    if lacking := _missing_vocabulary(folder, kind):
        raise DataError(
            f"cannot load a tokenizer from {folder}: it lacks its vocabulary (no {lacking}); copy it there"
            " from where the model comes from"
        )


def _missing_vocabulary(folder: Path, kind: type | None) -> str | None:
    if not folder.is_dir() or (folder / "tokenizer.json").is_file():
        return None
    names: Mapping[str, str] = getattr(kind, "vocab_files_names", None) or {}
    if kind is not None and not names:  # one that needs no file, such as one of bytes
        return None
    needed = [names[key] for key in _NEEDED if key in names]
    lacking = [name for name in needed if not (folder / name).is_file()]
    if needed and not lacking:
        return None
    held = {path.name for path in folder.iterdir()}
    if not needed and "vocab.json" in held and "merges.txt" not in held:
        return "merges.txt or tokenizer.json"
    if not needed and any(fnmatch(name, other) for name in held for other in _VOCABULARIES):
        return None
    return " or ".join(["tokenizer.json", *([" and ".join(lacking)] if lacking else [])])


def check_fit(tokenizer: "PreTrainedTokenizerBase", rows: int, name_or_path: str | Path) -> None:
    """Raise `DataError` when text can hold tokens for which the model has no embedding.

    Special tokens that no text is given, such as one for padding, may lie beyond; so may rows without tokens.
    """
    vocabulary = tokenizer.get_vocab()
    beyond = {index: token for token, index in vocabulary.items() if index >= rows}
    added = tokenizer.added_tokens_decoder
    idle = {index for index in beyond if index in added and added[index].special}
    idle -= {vocabulary.get(str(getattr(tokenizer, name, None))) for name in _USED}
    wrong = sorted(set(beyond) - idle)
    if wrong:
        raise DataError(
            f"the tokenizer of {name_or_path} does not fit the model, which has embeddings for {rows} tokens:"
            f" {len(wrong)} of the tokenizer's {len(vocabulary)} lie beyond, such as {beyond[wrong[0]]!r}"
            f" ({wrong[0]}); give the tokenizer that the model was trained with"
        )


def set_padding(tokenizer: "PreTrainedTokenizerBase", rows: int | None, name_or_path: str | Path) -> None:
    """Set a padding token for which the model has an embedding; no score depends on it.

    `own_padding` knows what it had. Raises `DataError` when it has no special token at all.
    """
    if _fits(tokenizer.pad_token_id, rows):
        return
    setattr(tokenizer, _OWN, (tokenizer.pad_token,))
    names = ("eos_token", "bos_token", "unk_token")
    others = [name for name in names if _fits(getattr(tokenizer, f"{name}_id"), rows)]
    if not others:
        raise DataError(
            f"the tokenizer of {name_or_path} has no token to pad or end with (no pad_token, eos_token,"
            " bos_token or unk_token)"
        )
    tokenizer.pad_token = getattr(tokenizer, others[0])


@contextmanager
def own_padding(tokenizer: "PreTrainedTokenizerBase") -> Iterator[None]:
    """Restore the tokenizer's own padding token, or none, while the block runs."""
    own, now = getattr(tokenizer, _OWN, None), tokenizer.pad_token
    try:
        if own is not None:
            tokenizer.pad_token = own[0]
        yield
    finally:
        tokenizer.pad_token = now


def _fits(index: int | None, rows: int | None) -> bool:
    return index is not None and (rows is None or index < rows)
