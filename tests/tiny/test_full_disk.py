"""A disk that is full in mid-study: a real one, of a few hundred kilobytes, that is then made larger."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from command_line import ONE_THREAD, UNEQUAL, call, toml
from study_settings import changed
from waiting import HANGS

ENVIRONMENT = os.environ | ONE_THREAD

# In name spaces of its own, so that the disk is nobody else's and goes with the last process.
ON_A_SMALL_DISK = r"""
set -u
mkdir "$1" && mount -t tmpfs -o size="$2"k,nr_inodes=0 none "$1" || exit 99
"$3" study run "$4" --out "$1/study" --workers 1 > "$5/out" 2> "$5/err"
echo $? > "$5/code"
find "$1" -name '.*.tmp' > "$5/leftovers"
mount -o remount,size=100000k "$1"
"$3" study run "$4" --out "$1/study" --workers 1 > "$5/again.out" 2> "$5/again.err"
echo $? > "$5/again.code"
cp -r "$1/study" "$5/study"
"""

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(
        sys.platform != "linux"
        or shutil.which("unshare") is None
        or subprocess.run(
            ["unshare", "--map-root-user", "--mount", "sh", "-c", "mount -t tmpfs none /mnt"],
            capture_output=True,
        ).returncode,
        reason="this system lets no user make a disk of his own",
    ),
]


@pytest.fixture(scope="module")
def run_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("disk") / "small.toml"
    path.write_text(toml(changed("methods", ["npo"]) | {"seeds": [0]}))
    return path


@pytest.fixture(scope="module")
def whole(run_file):
    out = run_file.parent / "whole"
    result = call("study", "run", run_file, "--out", out, "--workers", 1)
    assert (result.code, result.err) == (0, "")
    return out


def kilobytes(folder: Path) -> int:
    """How large the folder is on a disk with pages of four kilobytes."""
    return sum(-(-path.stat().st_size // 4096) * 4 for path in folder.rglob("*") if path.is_file())


@pytest.mark.fault(
    "the disk is full, at one of several points of a study (a real disk of that size)",
    "the command says so in one message and leaves nothing half-written; with more room the same command goes"
    " on to the same bits",
)
@pytest.mark.parametrize(
    "share", [0.1, *(pytest.param(share, marks=pytest.mark.slow) for share in (0.4, 0.8))]
)
def test_a_full_disk(share, run_file, whole, tmp_path):
    size = round(share * kilobytes(whole))
    words = ["sh", "-c", ON_A_SMALL_DISK, "sh", tmp_path / "disk", size, UNEQUAL, run_file, tmp_path]
    subprocess.run(
        ["unshare", "--map-root-user", "--mount", *map(str, words)],
        check=True,
        env=ENVIRONMENT,
        timeout=HANGS,
    )
    said = (tmp_path / "err").read_text()
    assert (tmp_path / "code").read_text() == "2\n", said
    assert "No space left on device" in said or "full" in said, said
    assert "Traceback" not in said
    assert (tmp_path / "leftovers").read_text() == ""
    assert (tmp_path / "again.code").read_text() == "0\n", (tmp_path / "again.err").read_text()
    for name in ("scores.parquet", "generations.parquet"):
        tables = [pl.read_parquet(study / name) for study in (tmp_path / "study", whole)]
        assert_frame_equal(*tables, check_exact=True)
    verdicts = [(study / "analysis/verdicts.json").read_bytes() for study in (tmp_path / "study", whole)]
    assert verdicts[0] == verdicts[1]
