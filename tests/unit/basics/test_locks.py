"""A lock is held by one process, says by which, and never outlives it."""

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from unequal.errors import ConfigError, DataError
from unequal.files import lock_of, locked
from waiting import HANGS

HOLD = """
import sys
from pathlib import Path
from unequal.files import locked
with locked(Path(sys.argv[1]), "resting"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock, and the lock."""
    lock = tmp_path / "study" / ".lock"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process, lock
    process.kill()
    process.communicate()


def test_a_second_process_is_told_who_holds_the_lock(holder):
    process, lock = holder
    named = f"process {process.pid} on {socket.gethostname()} is resting; wait for it or choose another --out"
    with pytest.raises(ConfigError) as caught, locked(lock, "waiting"):
        pytest.fail("the lock is held")
    assert str(caught.value) == named
    with (
        pytest.raises(ConfigError, match="or run it later"),
        locked(lock, "x", "run it later"),
    ):
        pytest.fail("the lock is held")


@pytest.mark.fault(
    "a command is killed while it holds its folder", "the next command takes the folder at once"
)
def test_a_lock_ends_with_its_holder_however_that_ends(holder):
    process, lock = holder
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert lock.exists()
    with locked(lock, "working"):
        assert f"process {os.getpid()} on" in lock.read_text()
    assert not lock.exists()


def test_a_lock_leaves_nothing_behind_after_an_error(tmp_path):
    with pytest.raises(KeyError), locked(lock_of(tmp_path / "new" / "out"), "working"):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_a_lock_where_nothing_can_be_written_is_a_data_error():
    lock = lock_of(Path("/proc/unequal/out"))
    with pytest.raises(DataError, match="cannot write into /proc/unequal"), locked(lock, "working"):
        pytest.fail("there is no lock")


def add(lock, counter, times):
    """Add 1 so many times to the number in a file, reading and writing under the lock."""
    done = 0
    while done < times:
        try:
            with locked(lock, "adding"):
                value = int(counter.read_text())
                time.sleep(0.001)
                counter.write_text(str(value + 1))
            done += 1
        except ConfigError:
            time.sleep(0.001)


def test_nobody_is_let_in_while_the_file_of_the_lock_comes_and_goes(tmp_path):
    """Each holder takes the lock's file away; a process that waits on the old one holds nothing."""
    counter = tmp_path / "counter"
    counter.write_text("0")
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=add, args=(tmp_path / ".lock", counter, 30)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(HANGS)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert counter.read_text() == "90"
