"""A sealed folder: one flipped byte is refused in one sentence, and one never sealed is taken as it is."""

import os
import random
import subprocess

import pytest

from flipped_bytes import flipped, harms
from unequal.checksums import (
    CHECKSUM_FILE,
    hashes,
    read_checked_json,
    read_with_checksum,
    verify_file,
    verify_folder,
    write_checked_json,
    write_checksums,
    write_file_checksums,
    write_with_checksum,
)
from unequal.errors import DamagedError


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.bin").write_bytes(bytes(range(256)))
    (tmp_path / "deep" / "b c.txt").write_text("text")
    write_checksums(tmp_path)
    return tmp_path


def age(folder):
    """Let all files be old, as they are when they are read; of new ones the time is not trusted."""
    for path in folder.rglob("*"):
        os.utime(path, ns=(10**18, 10**18))


def flip(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("place", [0, 100, -1])
@pytest.mark.parametrize("is_old", [True, False])
def test_a_flipped_bit_is_refused_wherever_it_is(place, is_old, folder):
    if is_old:
        age(folder)
    verify_folder(folder)
    flip(folder / "a.bin", place)
    with pytest.raises(DamagedError, match=r"damaged \(a\.bin has not the SHA-256 it was .*; fetch or make"):
        verify_folder(folder)


def test_a_missing_file_is_refused_and_an_added_one_is_not_looked_at(folder):
    (folder / "added").write_text("x")
    verify_folder(folder)
    (folder / "deep" / "b c.txt").unlink()
    with pytest.raises(DamagedError, match=r"deep/b c\.txt is missing\); build it anew$") as caught:
        verify_folder(folder, "build it anew")
    assert caught.value.folder == str(folder)


def test_a_folder_without_a_seal_is_taken_as_it_is(folder):
    (folder / CHECKSUM_FILE).unlink()
    flip(folder / "a.bin", 3)
    verify_folder(folder)


def test_the_seal_is_what_sha256sum_reads(folder):
    words = ["sha256sum", "--check", CHECKSUM_FILE]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == ["a.bin: OK", "deep/b c.txt: OK"]


def test_what_stands_beside_the_results_is_left_out(folder):
    assert set(hashes(folder, {CHECKSUM_FILE, "deep"})) == {"a.bin"}


def test_a_seal_that_is_cut_is_no_seal(folder):
    text = (folder / CHECKSUM_FILE).read_text()
    for cut in (text[:-1], text.rsplit("\n", 2)[0] + "\n", "", text[:20]):
        (folder / CHECKSUM_FILE).write_text(cut)
        with pytest.raises(DamagedError):
            verify_folder(folder)


@pytest.mark.fault("a byte of sealed files flips", "it is found wherever it is; nothing else is raised")
def test_a_flipped_byte_anywhere_is_found(tmp_path):
    chance = random.Random(17)
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "a.bin").write_bytes(b"some bytes")
    write_checksums(tmp_path / "f")
    write_with_checksum(tmp_path / "bytes", b"some bytes", "a name")
    value = {"name": "Zürich", "numbers": [1, 2.5, None], "deep": {"a": {"b": "c"}}}
    write_checked_json(tmp_path / "value.json", value)
    assert read_with_checksum(tmp_path / "bytes", "a name") == b"some bytes"
    assert read_checked_json(tmp_path / "value.json", "") == value
    with pytest.raises(DamagedError):
        read_with_checksum(tmp_path / "bytes", "another name")
    reads = {
        tmp_path / "bytes": lambda: read_with_checksum(tmp_path / "bytes", "a name"),
        tmp_path / "value.json": lambda: read_checked_json(tmp_path / "value.json", ""),
        tmp_path / "f" / CHECKSUM_FILE: lambda: verify_folder(tmp_path / "f", required=True),
        tmp_path / "f" / "a.bin": lambda: verify_folder(tmp_path / "f", required=True),
    }
    for path, read in reads.items():
        whole = path.read_bytes()
        for place in range(len(whole)):
            path.write_bytes(flipped(whole, place, chance.randrange(1, 256)))
            try:
                found = read()
            except DamagedError as error:
                assert "\n" not in str(error)
            else:
                assert found == value, (path.name, place)  # white space, or letters of an escape
        path.write_bytes(whole)
        for harm in harms(path, chance, 0):
            if "cut" in harm:
                with pytest.raises(DamagedError):
                    read()
        read()


def test_files_are_named_by_the_seal_of_their_folder(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    verify_file(tmp_path / "a")
    write_file_checksums(tmp_path, ["a", "none"])
    for name in ("a", "b", "none"):
        verify_file(tmp_path / name)
    (tmp_path / "a").write_text("b")
    with pytest.raises(DamagedError, match=r"a is damaged .*make it again, or delete .*SHA256SUMS"):
        verify_file(tmp_path / "a")
