"""Files are whole or absent, and what goes wrong is said in the user's words."""

import polars as pl
import pytest

from unequal.errors import DataError
from unequal.files import (
    atomic_folder,
    atomic_path,
    content_hash,
    file_hash,
    read_json,
    writable_folder,
    write_json,
    write_table,
    write_text,
)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_written_file_takes_its_name_only_at_the_end(tmp_path):
    target = tmp_path / "new" / "deep" / "file.txt"
    with atomic_path(target) as beside:
        beside.write_text("whole")
        assert not target.exists()
        assert beside.parent == target.parent
    assert target.read_text() == "whole"
    assert target.stat().st_mode & 0o777 == 0o644
    assert names_in(target.parent) == ["file.txt"]


def test_an_exception_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "file.txt"
    target.write_text("old")
    with pytest.raises(KeyError), atomic_path(target) as beside:
        beside.write_text("half")
        raise KeyError("stop")
    assert target.read_text() == "old"
    assert names_in(tmp_path) == ["file.txt"]


def test_a_failed_write_is_a_data_error_that_names_the_target(tmp_path):
    target = tmp_path / "file.txt"
    with pytest.raises(DataError, match=r"cannot write .*file\.txt: No space left"), atomic_path(target):
        raise OSError(28, "No space left on device")
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("write", [atomic_path, atomic_folder])
def test_a_full_disk_that_a_library_tells_of_in_its_own_way_is_a_data_error(write, tmp_path):
    full = RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)")
    message = r"^cannot write .*target: No space left on device$"
    with pytest.raises(DataError, match=message), write(tmp_path / "target"):
        raise full
    with pytest.raises(RuntimeError, match="a bug"), write(tmp_path / "target"):
        raise RuntimeError("a bug")
    assert names_in(tmp_path) == []


def test_a_target_below_a_regular_file_is_a_data_error(tmp_path):
    (tmp_path / "plain").write_text("")
    for write in (
        lambda path: write_text(path, "x"),
        lambda path: write_json(path, {}),
        lambda path: write_table(pl.DataFrame({"a": [1]}), path),
    ):
        with pytest.raises(DataError, match=r"cannot write into .*plain.*choose another --out"):
            write(tmp_path / "plain" / "below" / "file")
    with pytest.raises(DataError, match="cannot write"), atomic_folder(tmp_path / "plain" / "folder"):
        pytest.fail("the block must not be entered")


def test_a_target_that_is_a_folder_is_a_data_error(tmp_path):
    (tmp_path / "taken" / "inside").mkdir(parents=True)
    with pytest.raises(DataError, match=r"cannot write .*taken"):
        write_text(tmp_path / "taken", "x")
    assert names_in(tmp_path) == ["taken"]


def test_a_folder_replaces_the_old_one_as_a_whole(tmp_path):
    target = tmp_path / "folder"
    target.mkdir()
    (target / "old").write_text("old")
    with atomic_folder(target) as beside:
        (beside / "new").write_text("new")
        assert names_in(target) == ["old"]
    assert names_in(target) == ["new"]
    assert target.stat().st_mode & 0o777 == 0o755
    assert names_in(tmp_path) == ["folder"]


def test_an_exception_leaves_the_old_folder_and_nothing_else(tmp_path):
    target = tmp_path / "folder"
    target.mkdir()
    (target / "old").write_text("old")
    with pytest.raises(ValueError, match="stop"), atomic_folder(target) as beside:
        (beside / "new").write_text("new")
        raise ValueError("stop")
    assert names_in(target) == ["old"]
    assert names_in(tmp_path) == ["folder"]


def test_json_and_tables_come_back_equal(tmp_path):
    value = {"b": [1, 2.5, None], "a": "Zürich"}
    write_json(tmp_path / "value.json", value)
    assert read_json(tmp_path / "value.json") == value
    frame = pl.DataFrame({"a": [1, None], "b": ["x", "y"]})
    write_table(frame, tmp_path / "table.parquet")
    assert pl.read_parquet(tmp_path / "table.parquet").equals(frame)


def test_unreadable_json_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*none\.json: No such file"):
        read_json(tmp_path / "none.json")
    (tmp_path / "broken.json").write_text('{"a": ')
    with pytest.raises(DataError, match=r"broken\.json is not valid JSON"):
        read_json(tmp_path / "broken.json")
    (tmp_path / "latin.json").write_bytes('"Zürich"'.encode("latin-1"))
    with pytest.raises(DataError, match=r"latin\.json is not valid JSON"):
        read_json(tmp_path / "latin.json")


def test_writable_folder_makes_it_and_leaves_it_empty(tmp_path):
    assert names_in(writable_folder(tmp_path / "a" / "b")) == []


def test_hashes_depend_on_content_alone(tmp_path):
    assert content_hash({"a": 1, "b": 2}, [3]) == content_hash({"b": 2, "a": 1}, [3])
    assert len({content_hash(*parts) for parts in (("a", "b"), ("ab",), (["a", "b"],), ("b", "a"))}) == 4
    (tmp_path / "file").write_bytes(b"abc")
    assert file_hash(tmp_path / "file").startswith("ba7816bf8f01cfea")  # FIPS 180-2, example B.1
