"""Data frames of facts, with unknown columns of any type."""

import base64
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, time
from itertools import islice
from typing import Any

import polars as pl
import pyarrow as pa

from unequal.errors import DataError
from unequal.facts.schema import LIST_COLUMNS, REQUIRED_COLUMNS, Fact

CHUNK = 10_000
DEEPEST = 8
"""Maximum nesting of lists and structs in a column of a file."""
Part = tuple[pl.Series, bool]
"""Some rows of a column, and whether they are JSON text because of mixed types."""
_KINDS: dict[str, pl.DataType] = dict.fromkeys(Fact.model_fields, pl.String()) | {
    **dict.fromkeys(LIST_COLUMNS, pl.List(pl.String())),
    **dict.fromkeys(("count", "exposure"), pl.Int64()),
}


def facts_frame(facts: Iterable[Fact]) -> pl.DataFrame:
    """Return a data frame with one row a fact and the columns that some fact fills.

    An unknown column whose values have no common type is stored as JSON text. Facts are consumed in chunks,
    so that a table can be converted without holding all of them. Raises `DataError` for a value that
    JSON cannot represent.
    """
    known: list[pl.DataFrame] = []
    unknown: dict[str, dict[int, Part]] = {}
    for number, chunk in enumerate(_chunks(facts)):
        known.append(_known_columns(chunk))
        for name in dict.fromkeys(name for fact in chunk for name in fact.model_extra or ()):
            values = [(fact.model_extra or {}).get(name) for fact in chunk]
            unknown.setdefault(name, {})[number] = _part(name, values)
    if not known:
        return pl.DataFrame(schema={name: _KINDS[name] for name in REQUIRED_COLUMNS})
    heights = [frame.height for frame in known]
    frame = pl.concat(known)
    filled = [name for name in frame.columns if name in REQUIRED_COLUMNS or _is_filled(frame[name])]
    extra = [_joined(name, parts, heights) for name, parts in unknown.items()]
    return frame.select(filled).with_columns(column for column in extra if column.null_count() < len(column))


def as_json(value: Any) -> str:
    """Return a value as JSON text: dates as ISO 8601, bytes in base64; raises `DataError` if impossible."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=as_text)
        return text if _is_unicode(text) else json.dumps(value, default=as_text)
    except TypeError:  # the key of an object is none of JSON's
        return json.dumps(str(value))
    except (ValueError, RecursionError) as error:
        raise DataError(f"a value of an unknown column cannot be written ({error}); leave it out") from error


def as_text(value: Any) -> str:
    """Return a value without a JSON type as text."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value.isoformat() if isinstance(value, date | time) else str(value)


def _chunks(facts: Iterable[Fact]) -> Iterator[list[Fact]]:
    rest = iter(facts)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk


def _known_columns(facts: Sequence[Fact]) -> pl.DataFrame:
    texts = pa.large_list(pa.large_string())  # of lists, Arrow makes columns ten times as fast as Polars
    columns = []
    for name, kind in _KINDS.items():
        values = [getattr(fact, name) for fact in facts]
        is_list = isinstance(kind, pl.List)
        columns.append(pl.Series(name, pa.array(values, texts) if is_list else values, dtype=kind))
    return pl.DataFrame(columns)


def _is_filled(column: pl.Series) -> bool:
    if isinstance(column.dtype, pl.List):
        return bool((column.list.len() > 0).any())
    return column.null_count() < len(column)


def _part(name: str, values: Sequence[Any]) -> Part:
    """Return the values as a column that preserves them exactly, else as JSON text."""
    kinds = {type(value) for value in values if value is not None}
    kind = pl.Float64 if kinds == {int, float} else None
    if _agree(values, DEEPEST):
        try:
            column = pl.Series(name, values, dtype=kind, strict=kind is None)
            if _can_stand(column.dtype) and all(map(_same, column.to_list(), values)):
                return column, False
        except (Exception, pl.exceptions.PanicException):
            pass
    return _json_texts(name, values), True


def _agree(values: Sequence[Any], levels: int) -> bool:
    """Return whether objects at the same position have the same keys, and the nesting is allowed."""
    objects = [value for value in values if isinstance(value, dict)]
    inner = [item for value in values if isinstance(value, list | tuple) for item in value]
    if not objects and not inner:
        return True
    if not levels or any(list(one) != list(objects[0]) for one in objects):
        return False
    columns = [[one[key] for one in objects] for key in objects[0]] if objects else []
    return all(_agree(column, levels - 1) for column in [*columns, inner] if column)


def _can_stand(kind: pl.DataType) -> bool:
    """Return whether a column type is portable in Parquet files."""
    if isinstance(kind, pl.List | pl.Array):
        return kind.inner is None or _can_stand(kind.inner)  # type: ignore[arg-type]
    if isinstance(kind, pl.Struct):
        return bool(kind.fields) and all(_can_stand(field.dtype) for field in kind.fields)  # type: ignore[arg-type]
    return kind not in (pl.Object, pl.Int128)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, list | dict):
        return repr(one) == repr(list(other) if isinstance(other, tuple) else other)
    if type(one) is not type(other) and not (isinstance(one, float) and type(other) is int):
        return False
    return bool(one == other) or repr(one) == repr(other)


def _json_texts(name: str, values: Iterable[Any]) -> pl.Series:
    return pl.Series(name, [None if value is None else as_json(value) for value in values], dtype=pl.String)


def _joined(name: str, parts: dict[int, Part], heights: Sequence[int]) -> pl.Series:
    """Return a column concatenated from its parts, as JSON text if types differ; missing parts are null."""
    kinds = {part.dtype for part, _ in parts.values() if part.dtype != pl.Null}
    is_json = any(is_json for _, is_json in parts.values())
    if kinds == {pl.Int64, pl.Float64}:
        whole = [part for part, _ in parts.values() if part.dtype == pl.Int64]
        is_json |= not all((part.cast(pl.Float64).cast(pl.Int64) == part).all() for part in whole)
        kind: Any = pl.Float64
    else:
        is_json |= len(kinds) > 1
        kind = next(iter(kinds), pl.String)
    if is_json:
        texts = {n: part if json_ else _json_texts(name, part) for n, (part, json_) in parts.items()}
        columns, kind = texts, pl.String
    else:
        columns = {n: part.cast(kind) for n, (part, _) in parts.items()}
    empty = (pl.Series(name, [None], dtype=kind).new_from_index(0, height) for height in heights)
    return pl.concat([columns.get(n, nothing) for n, nothing in enumerate(empty)], rechunk=False)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
