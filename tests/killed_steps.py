"""A step in a process of its own that is killed on the way; workers import this module."""

import multiprocessing
import os
import random
import signal
import sys
import time

# Loaded once, in the process that all others are forked from, which itself computes nothing.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    ["killed_steps", "unequal.study.loaded_base", "unequal.training.pretrain", "unequal.corpus.build"]
)

OPERATIONS = frozenset({"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree"})


def run(study, step, events=None, counted=None):
    """Do the step; be killed at so many operations on files, or say how many there were."""
    seen = 0

    def count(name, args):
        nonlocal seen
        if name in OPERATIONS and str(study) in str(args[0]):
            seen += 1
            if seen == events:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    began = time.monotonic()
    step.run(study, lambda *_: None)
    if counted is not None:
        counted.put((seen, time.monotonic() - began))


def done_in(study, step):
    """Do the step in a process; return how many operations on files it made and how long it took."""
    counted = CONTEXT.SimpleQueue()
    process = CONTEXT.Process(target=run, args=(study, step, None, counted))
    process.start()
    process.join()
    assert process.exitcode == 0
    return counted.get()


def killed(study, step, whole, chance: random.Random, by_time: bool):
    """Kill the step at a random time, or at a random operation on a file; return whether it was killed."""
    n_operations, seconds = whole
    if not by_time:
        process = CONTEXT.Process(target=run, args=(study, step, chance.randint(1, n_operations)))
        process.start()
        process.join()
    else:
        process = CONTEXT.Process(target=run, args=(study, step))
        process.start()
        process.join(chance.uniform(0.02, seconds))
        process.kill()
        process.join()
    return process.exitcode == -signal.SIGKILL
