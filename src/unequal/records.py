"""Validated reading of JSON records and Parquet tables that earlier commands wrote.

Invalid files raise `DataError` with a message of one sentence.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from unequal.checksums import read_checked_json, verify_file, without_checksum
from unequal.errors import DamagedError, DataError, first_line
from unequal.files import read_json

if TYPE_CHECKING:
    import polars as pl

Record = TypeVar("Record")
Schema = Mapping[str, "type[pl.DataType]"]


def read_record(kind: type[Record], path: Path, advice: str, otherwise: str = "damaged") -> Record:
    """Return the content of a JSON file validated as a type: a model, a dataclass, a list or a dictionary.

    Raises `DataError`, whose message ends with the advice, when the file is invalid; for content of another
    type the message calls the file ``otherwise``.
    """
    return _as_kind(kind, without_checksum(read_json(path), path, advice), path, advice, otherwise)


def read_checked_record(kind: type[Record], path: Path, advice: str) -> Record:
    """Return the validated content of a JSON file with a checksum; raises `DamagedError` if it changed."""
    held = read_checked_json(path, advice)
    try:
        return _as_kind(kind, held, path, advice, "damaged")
    except DataError as error:  # of another version
        raise DamagedError(str(path), "it was written by another version", advice) from error


def _as_kind(kind: type[Record], value: Any, path: Path, advice: str, otherwise: str) -> Record:
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        said = f"it should be {_KINDS[first['type']]}" if first["type"] in _KINDS else str(first["msg"])
        what = f"{place}: {said}" if place else said
        raise DataError(f"{path} is {otherwise} ({what.splitlines()[0]}); {advice}") from error


_KINDS = {
    "dict_type": "an object",
    "model_type": "an object",
    "dataclass_type": "an object",
    "list_type": "a list",
    "tuple_type": "a list",
    "string_type": "a text",
}
"""The JSON name of the expected type, by pydantic's error type."""


def read_object(path: Path, advice: str) -> dict[str, Any]:
    """Return the object of a JSON file; raises `DataError` as `read_record` does."""
    return read_record(dict[str, Any], path, advice)


def read_table(path: Path, advice: str) -> "pl.DataFrame":
    """Return a Parquet table with all its columns.

    Raises `DataError`, whose message ends with the advice, for a file that is missing or unreadable, and for
    one that does not match the checksum in its folder.
    """
    import polars as pl

    verify_file(path)
    try:
        return pl.read_parquet(path, glob=False)
    except FileNotFoundError as error:
        raise DataError(f"cannot read {path}: No such file or directory; {advice}") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {first_line(error.strerror or error)}; {advice}") from error
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # a panic of polars is no Exception
        reason = first_line(error)
        raise DataError(f"{path} is not a readable Parquet file: {reason}; {advice}") from error


def with_types(frame: "pl.DataFrame", schema: Schema, where: object, advice: str) -> "pl.DataFrame":
    """Return the table with the columns of the schema cast to their types; other columns are unchanged.

    Narrower integers are accepted, and empty columns of any type. Raises `DataError` for a missing column
    or another type; ``where`` names the table.
    """
    import polars as pl

    if missing := [name for name in schema if name not in frame.columns]:
        raise DataError(f"{where} lacks the column {', '.join(missing)}; {advice}")
    for name, wanted in schema.items():
        found = frame.schema[name]
        if found == wanted:
            continue
        narrower = (found.is_integer() and wanted in (pl.Int64, pl.Float64)) or (
            found.is_float() and wanted == pl.Float64
        )
        named = isinstance(found, pl.Categorical | pl.Enum) and wanted == pl.String
        if not (narrower or named or found == pl.Null):
            kinds = f"{_type_name(found)}, where {_type_name(wanted)} belongs"
            raise DataError(f"{where}: column {name} holds {kinds}; {advice}")
        try:
            frame = frame.with_columns(pl.col(name).cast(wanted))
        except pl.exceptions.PolarsError as error:
            raise DataError(f"{where}: column {name} holds numbers beyond 64 bits; {advice}") from error
    return frame


def refuse_rows(frame: "pl.DataFrame", wrong: "pl.Expr", what: str, where: object, advice: str) -> None:
    """Check that no row is wrong; raises `DataError`, which names the first wrong row."""
    rows = frame.select(wrong.fill_null(value=False).arg_true()).to_series()
    if len(rows):
        more = f", and {len(rows) - 1} more rows" if len(rows) > 1 else ""
        raise DataError(f"{where}: {what} (row {rows[0] + 1}{more}); {advice}")


def check_unique(frame: "pl.DataFrame", key: Sequence[str], where: object, advice: str) -> None:
    """Check that the key of every row is unique; raises `DataError`, which names a duplicate."""
    import polars as pl

    again = frame.select(~pl.struct(key).is_first_distinct()).to_series()
    if again.any():
        place = int(again.arg_max() or 0)
        row = " ".join(str(value)[:40] for value in frame.select(key).row(place))
        raise DataError(f"{where} holds a row more than once: {row} (row {place + 1}); {advice}")


def _type_name(kind: Any) -> str:
    import polars as pl

    names = {pl.String: "a text", pl.Int64: "a whole number", pl.Float64: "a number"}
    return names.get(kind, str(kind))
