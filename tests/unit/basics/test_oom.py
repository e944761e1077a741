"""Shortage of memory: errors that say so, and work that is tried once more with smaller batches."""

import errno
import os

import numpy as np
import pytest

from unequal.errors import DataError, OutOfMemoryError
from unequal.oom import (
    DIVISOR,
    batches_are_reduced,
    current_batch_size,
    is_out_of_memory,
    retry_with_smaller_batches,
    smaller_batches,
)


def error_of(function):
    with pytest.raises(Exception) as caught:
        function()
    return caught.value


def test_errors_of_real_allocations_are_known():
    assert is_out_of_memory(error_of(lambda: np.empty(2**55)))
    assert is_out_of_memory(error_of(lambda: bytearray(2**62)))
    assert is_out_of_memory(OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)))


@pytest.mark.parametrize(
    "text",
    [
        "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 15.77 GiB",
        "MPS backend out of memory (MPS allocated: 9.00 GB)",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: you tried",
        "[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: not enough memory: you tried",
        "std::bad_alloc",
    ],
)
def test_words_of_the_libraries_are_known(text):
    assert is_out_of_memory(RuntimeError(text))
    assert not is_out_of_memory(ValueError(text))


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        OSError(errno.ENOENT, os.strerror(errno.ENOENT), "tales of a man out of memory.jsonl"),
        OSError("cannot allocate memory/model is not the path to a folder with a file named config.json"),
        RuntimeError("shapes differ"),
        KeyError("x"),
    ],
)
def test_other_errors_are_not_taken_for_it(error):
    assert not is_out_of_memory(error)


def test_batches_are_smaller_while_the_block_runs_and_never_empty():
    with smaller_batches():
        assert batches_are_reduced()
        assert [current_batch_size(size) for size in (4096, DIVISOR, 3, 1)] == [4096 // DIVISOR, 1, 1, 1]
    with smaller_batches(wanted=False):
        assert not batches_are_reduced()
        assert current_batch_size(3) == 3
    assert not batches_are_reduced()


def allocations(*fail):
    """Return work that asks for too much at these tries, and the list of the sizes it was allowed."""
    sizes = []

    @retry_with_smaller_batches
    def work(number):
        sizes.append(current_batch_size(16))
        if len(sizes) in fail:
            np.empty(2**55)
        return number

    return work, sizes


def test_work_is_tried_again_with_smaller_batches(caplog):
    work, sizes = allocations(1)
    assert work(7) == 7
    assert sizes == [16, 2]
    assert "trying again with smaller batches" in caplog.text
    assert current_batch_size(16) == 16
    work, sizes = allocations()
    assert (work(7), sizes) == (7, [16])


def test_memory_that_runs_out_twice_is_one_sentence_for_the_user():
    work, sizes = allocations(1, 2)
    with pytest.raises(OutOfMemoryError, match=r"ran out, with smaller batches too \(Unable"):
        work(7)
    assert sizes == [16, 2]


@pytest.mark.full
@pytest.mark.parametrize("text", ["could not create a primitive", "error return without exception set"])
def test_what_may_be_something_else_is_not_called_memory(text, caplog):
    """Libraries say so for want of memory, and of what they cannot do at all."""
    tries = []

    @retry_with_smaller_batches
    def work(ends):
        tries.append(1)
        if ends == "well" and len(tries) > 1:
            return 7
        if len(tries) > 1:
            raise DataError("the model has 0 layers")
        raise RuntimeError(text)

    with pytest.raises(DataError, match="0 layers"):
        work("badly")
    assert caplog.messages == []
    tries.clear()
    assert work("well") == 7
    assert caplog.messages == [f"memory ran out ({text}); done with smaller batches"]


def test_other_errors_are_not_tried_again():
    tries = []

    @retry_with_smaller_batches
    def work():
        tries.append(1)
        raise DataError("no facts")

    with pytest.raises(DataError):
        work()
    assert tries == [1]
