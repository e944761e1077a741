"""A sealed folder: one flipped byte is refused in one sentence, and one never sealed is taken as it is."""

import os
import subprocess

import pytest

from unequal.errors import DamagedError
from unequal.seals import SEAL, check_seal, hashes, seal


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.bin").write_bytes(bytes(range(256)))
    (tmp_path / "deep" / "b c.txt").write_text("text")
    seal(tmp_path)
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
    check_seal(folder)
    flip(folder / "a.bin", place)
    with pytest.raises(DamagedError, match=r"damaged \(a\.bin has not the SHA-256 it was .*; fetch or make"):
        check_seal(folder)


def test_a_missing_file_is_refused_and_an_added_one_is_not_looked_at(folder):
    (folder / "added").write_text("x")
    check_seal(folder)
    (folder / "deep" / "b c.txt").unlink()
    with pytest.raises(DamagedError, match=r"deep/b c\.txt is missing\); build it anew$") as caught:
        check_seal(folder, "build it anew")
    assert caught.value.folder == str(folder)


def test_a_folder_without_a_seal_is_taken_as_it_is(folder):
    (folder / SEAL).unlink()
    flip(folder / "a.bin", 3)
    check_seal(folder)


def test_the_seal_is_what_sha256sum_reads(folder):
    words = ["sha256sum", "--check", SEAL]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == ["a.bin: OK", "deep/b c.txt: OK"]


def test_what_stands_beside_the_results_is_left_out(folder):
    assert set(hashes(folder, {SEAL, "deep"})) == {"a.bin"}
