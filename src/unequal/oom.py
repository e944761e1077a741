"""Out-of-memory errors: detection, and a retry with smaller batches that gives the same results."""

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
from unequal.errors import OutOfMemoryError, first_line

Given = ParamSpec("Given")
Made = TypeVar("Made")

logger = logging.getLogger(__name__)

DIVISOR = 8
"""Factor by which the retry reduces batch sizes."""

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
"""Error messages that may mean out of memory, but have other causes too."""

_DIVISOR: ContextVar[int] = ContextVar("batches are divided by", default=1)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means, or may mean, that memory ran out."""
    return _ran_out_surely(error) or _says(error, _PERHAPS)


def _ran_out_surely(error: BaseException) -> bool:
    """Return whether an error certainly means out of memory; for `OSError` only the error number is used."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, MemoryError) or _says(error, _WORDS)


def _says(error: BaseException, words: tuple[str, ...]) -> bool:
    return isinstance(error, RuntimeError | SystemError) and any(word in str(error).lower() for word in words)


@contextmanager
def smaller_batches(wanted: bool = True) -> Iterator[None]:
    """Reduce the batch sizes of all passes while the block runs, if ``wanted``."""
    token = _DIVISOR.set(DIVISOR if wanted else _DIVISOR.get())
    try:
        yield
    finally:
        _DIVISOR.reset(token)


def batches_are_reduced() -> bool:
    """Return whether batch sizes are currently reduced."""
    return _DIVISOR.get() > 1


def current_batch_size(size: int) -> int:
    """Return the batch size to use for a nominal size, reduced during a retry; at least 1."""
    return max(1, size // _DIVISOR.get())


def free_memory() -> float:
    """Return the available memory in bytes, or the total where the system does not report it."""
    told = Path("/proc/meminfo")
    if told.is_file():
        for line in told.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024.0 * float(line.split()[1])
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def retry_with_smaller_batches(work: Callable[Given, Made]) -> Callable[Given, Made]:
    """Decorate a function to retry it with smaller batches when memory runs out.

    The function must resume from, or overwrite, partial results of the first attempt. Distributed runs do not
    retry, since the other processes are still in the first attempt. If the cause is uncertain, the warning
    about memory is given only after the retry has succeeded. Raises `OutOfMemoryError` when memory runs out
    again.
    """

    @wraps(work)
    def tried(*values: Given.args, **named: Given.kwargs) -> Made:
        reason, sure = "", True
        try:
            return work(*values, **named)
        except Exception as error:
            if not is_out_of_memory(error) or distributed_env.is_distributed():
                raise
            reason, sure = first_line(error), _ran_out_surely(error)
        gc.collect()  # now that no frame of the first try is left
        if sure:
            logger.warning("memory ran out (%s); trying again with smaller batches", reason)
        with smaller_batches():
            try:
                made = work(*values, **named)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                raise OutOfMemoryError(
                    f"memory ran out, with smaller batches too ({first_line(error)}); take a smaller model,"
                    " fewer facts or probes, or a larger machine"
                ) from error
        if not sure:
            logger.warning("memory ran out (%s); done with smaller batches", reason)
        return made

    return tried
