"""What killed processes left goes, what living ones write stays."""

import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from unequal import temporary
from unequal.files import atomic_folder, atomic_path, write_text
from unequal.temporary import A_DAY, prefix_for, remove_leftovers_below, remove_leftovers_in
from waiting import HANGS

WRITE = """
import sys
from pathlib import Path
from unequal.files import atomic_folder, atomic_path
target = Path(sys.argv[1])
with (atomic_folder if sys.argv[2] == "folder" else atomic_path)(target) as beside:
    (beside / "half" if sys.argv[2] == "folder" else beside).write_text("half")
    print(beside, flush=True)
    sys.stdin.read()
"""

FAULT = pytest.mark.fault(
    "SIGKILL while a file or a folder is written",
    "the temporary goes when the folder is taken up again, and never one that a living process writes",
)


@pytest.fixture(params=["file", "folder"])
def writer(request, tmp_path):
    """A process in the middle of writing a target, which is not there yet, and what it writes into."""
    words = [sys.executable, "-c", WRITE, str(tmp_path / "target"), request.param]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    beside = tmp_path / process.stdout.readline().strip()
    yield process, beside, atomic_folder if request.param == "folder" else atomic_path
    process.kill()
    process.communicate()


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()


@FAULT
def test_the_next_writer_of_the_same_removes_it(writer, tmp_path):
    process, beside, write = writer
    kill(process)
    assert beside.exists()
    with write(tmp_path / "target"):
        assert not beside.exists()


@FAULT
@pytest.mark.parametrize(
    "remove", [remove_leftovers_in, lambda folder: remove_leftovers_below(folder.parent)]
)
def test_whoever_takes_the_folder_up_removes_it(remove, writer, tmp_path):
    process, beside, _ = writer
    remove(tmp_path)
    assert beside.exists(), "its writer is alive"
    kill(process)
    remove(tmp_path)
    assert not beside.exists()
    assert list(tmp_path.iterdir()) == []


@FAULT
def test_what_is_written_by_a_living_process_stays(writer, tmp_path):
    process, beside, write = writer
    process.send_signal(signal.SIGSTOP)
    with write(tmp_path / "target") as other:
        assert beside.exists()
        if write is atomic_path:
            other.write_text("whole")
    assert beside.exists()
    process.send_signal(signal.SIGCONT)


@FAULT
def test_a_number_that_another_process_has_by_now_is_not_taken_for_the_writer(tmp_path):
    prefix = prefix_for(tmp_path / "target")
    mine = tmp_path / f"{prefix}abc.tmp"
    before = tmp_path / (re.sub(r"-\d+\.$", "-1.", prefix) + "abc.tmp")  # begun as the machine did
    for path in (mine, before):
        path.write_text("half")
    remove_leftovers_in(tmp_path)
    assert mine.exists()
    assert not before.exists()


@FAULT
@pytest.mark.parametrize("name", [".target.00000000-1-1.abc.tmp", ".target.abcd1234.tmp"])
def test_what_another_machine_writes_stays_until_it_is_old_and_not_locked(name, tmp_path):
    """Its processes cannot be asked after from here, so only a lock and the time tell."""
    far = tmp_path / name
    far.write_text("half")
    write_text(tmp_path / "target", "whole")
    assert far.exists()
    old = time.time() - A_DAY - 60
    os.utime(far, (old, old))
    with temporary.held(far):
        write_text(tmp_path / "target", "whole")
        assert far.exists()
    write_text(tmp_path / "target", "whole")
    assert not far.exists()


def test_files_of_others_stay(tmp_path):
    kept = [tmp_path / name for name in (".other.tmp", "target.tmp", ".target.txt", ".targetx.1.tmp")]
    for path in kept:
        path.write_text("mine")
    write_text(tmp_path / "target", "whole")
    remove_leftovers_in(tmp_path)
    assert all(path.exists() for path in kept)


def write_again(target, n_times):
    for _ in range(n_times):
        write_text(target, "whole")


def test_several_writers_of_one_file_leave_each_other_alone(tmp_path):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=write_again, args=(tmp_path / "target", 60)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(HANGS)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_a_long_name_can_be_written(tmp_path):
    write_text(tmp_path / ("x" * 255), "whole")
    assert len(list(tmp_path.iterdir())) == 1
