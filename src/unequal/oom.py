"""Shortage of memory: how it shows, and the smaller batches of a second try, which change no result."""

import errno
import gc
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from unequal import distributed_env
from unequal.errors import ShortOfMemoryError

Given = ParamSpec("Given")
Made = TypeVar("Made")

logger = logging.getLogger(__name__)

DIVISOR = 8
"""How many times smaller the batches of a second try are."""

_WORDS = (
    "out of memory",  # CUDA, MPS, XPU
    "not enough memory",  # PyTorch on the CPU
    "can't allocate memory",
    "cannot allocate memory",
    "bad_alloc",
    "alloc_failed",  # cuBLAS, cuDNN
)

_PERHAPS = (
    "could not create a primitive",  # oneDNN, whose kernels are written into memory
    "error return without exception set",  # C code that did not look whether it got memory
)
"""What libraries say for want of memory, and for other reasons too."""

_DIVISOR: ContextVar[int] = ContextVar("batches are divided by", default=1)


def ran_out(error: BaseException) -> bool:
    """Return whether an error says that memory ran out."""
    return _ran_out_surely(error) or _says(error, _PERHAPS)


def _ran_out_surely(error: BaseException) -> bool:
    """Return whether nothing else can be meant; of files the number counts, since names say anything."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, MemoryError) or _says(error, _WORDS)


def _says(error: BaseException, words: tuple[str, ...]) -> bool:
    return isinstance(error, RuntimeError | SystemError) and any(word in str(error).lower() for word in words)


@contextmanager
def smaller_batches(wanted: bool = True) -> Iterator[None]:
    """Make the batches of every pass smaller while the block runs, if ``wanted``."""
    token = _DIVISOR.set(DIVISOR if wanted else _DIVISOR.get())
    try:
        yield
    finally:
        _DIVISOR.reset(token)


def is_saved() -> bool:
    """Return whether memory is being saved."""
    return _DIVISOR.get() > 1


def at_most(size: int) -> int:
    """Return how large a batch may be that has this size where there is memory enough."""
    return max(1, size // _DIVISOR.get())


def free_memory() -> float:
    """Return the bytes of memory that are free, or where that is not told, those that there are."""
    told = Path("/proc/meminfo")
    if told.is_file():
        for line in told.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024.0 * float(line.split()[1])
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def first_line(error: BaseException) -> str:
    """Return what an error says, as one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def with_second_try(work: Callable[Given, Made]) -> Callable[Given, Made]:
    """Return the work as one that is tried again with smaller batches when memory runs out.

    It must go on from, or begin anew over, what the first try left. Processes that share the work make no
    second try, since the others are in the middle of the first. Where something else than memory may be the
    matter nothing is said of memory before the second try has shown it. Raises `ShortOfMemoryError` when
    memory runs out again.
    """

    @wraps(work)
    def tried(*values: Given.args, **named: Given.kwargs) -> Made:
        reason, sure = "", True
        try:
            return work(*values, **named)
        except Exception as error:
            if not ran_out(error) or distributed_env.several():
                raise
            reason, sure = first_line(error), _ran_out_surely(error)
        gc.collect()  # now that no frame of the first try is left
        if sure:
            logger.warning("memory ran out (%s); trying again with smaller batches", reason)
        with smaller_batches():
            try:
                made = work(*values, **named)
            except Exception as error:
                if not ran_out(error):
                    raise
                raise ShortOfMemoryError(
                    f"memory ran out, with smaller batches too ({first_line(error)}); take a smaller model,"
                    " fewer facts or probes, or a larger machine"
                ) from error
        if not sure:
            logger.warning("memory ran out (%s); done with smaller batches", reason)
        return made

    return tried
