"""Jobs that end in the ways jobs can end; a module of their own, since workers must import them."""

import os
import signal
import threading
import time
from pathlib import Path

from unequal.counting.launch.launcher import Job
from unequal.counting.scan.shards import Shard
from unequal.errors import DataError, MissingExtraError
from waiting import HANGS


def job(path, size=1):
    return Job(Shard(str(path), size, "stamp"))


class NamedTask:
    """Does what the shard's name says, and tells where and when."""

    def __init__(self):
        self.made = (os.getpid(), time.monotonic())

    def __call__(self, job, on_bytes):
        began = time.monotonic()
        on_bytes(job.shard.size)
        match job.shard.name.split("-")[0]:
            case "bad":
                raise DataError(f"{job.shard} is truncated")
            case "bug":
                raise ZeroDivisionError("a bug")
            case "missing":
                raise MissingExtraError("this job", "hyperscan")
            case "death":
                os.kill(os.getpid(), signal.SIGKILL)
            case "once":
                self._die_unless(Path(job.shard.path))
            case "nap":
                time.sleep(0.05)
            case "sleep":
                time.sleep(HANGS)
        threads = {os.environ.get(f"{name}_NUM_THREADS") for name in ("OMP", "MKL", "OPENBLAS")}
        main = threading.current_thread() is threading.main_thread()
        return {"made": self.made, "began": began, "threads": threads, "main": main, "pid": os.getpid()}

    def _die_unless(self, marker):
        if not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)


def cannot_prepare():
    raise MissingExtraError("preparing", "hyperscan")


class Stranger:
    """Can be sent to a worker, and not be received there, like a class of a package it does not have."""

    def __reduce__(self):
        return refuse, ()


def refuse():
    raise ModuleNotFoundError("No module named 'stranger'")
