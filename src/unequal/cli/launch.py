"""``unequal launch``."""

import logging
import os
import sys
from typing import Annotated

from cyclopts import Parameter

from unequal.cli.options import require_training
from unequal.errors import ConfigError

SHARDED = {
    "ACCELERATE_USE_FSDP": "true",
    "FSDP_VERSION": "2",
    "FSDP_RESHARD_AFTER_FORWARD": "true",
}
"""What ``accelerate launch --use_fsdp --fsdp_version 2`` says to processes."""


def launch(
    *words: Annotated[str, Parameter(allow_leading_hyphen=True)],
    processes: int | None = None,
    sharded: bool = False,
) -> None:
    """Run a command in several processes on this machine: unequal launch --processes 2 evaluate --model …

    Like accelerate launch, which several machines need; but the exit code is the command's own.

    Parameters
    ----------
    words
        the command with its flags, after those of launch
    processes
        number of processes; by default one per GPU
    sharded
        Spread weights, gradients and optimiser states over the processes (FSDP 2).
    """
    from unequal.workers import n_cores

    require_training("sharing work between processes")
    import torch

    number = torch.accelerator.device_count() if processes is None else processes
    if number < 1:
        raise ConfigError(f"--processes must be at least 1, not {number}; say how many where there is no GPU")
    if not words:
        raise ConfigError(
            "name a command to run, for example: unequal launch --processes 2 evaluate --model …"
        )
    os.environ.update(SHARDED if sharded else {})
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, n_cores() // number)))
    sys.exit(_run(words, number))


def _run(words: tuple[str, ...], processes: int) -> int:
    """Return the exit code of the processes, that of the first to fail if any does."""
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    config = LaunchConfig(
        min_nodes=1, max_nodes=1, nproc_per_node=processes, run_id=f"unequal-{os.getpid()}",
        rdzv_backend="c10d", rdzv_endpoint="localhost:0", max_restarts=0,
    )  # fmt: skip
    try:
        elastic_launch(config, sys.executable)("-m", "unequal", *words)
    except ChildFailedError as error:
        code = int(error.get_first_failure()[1].exitcode)
        if code < 0:
            raise ConfigError(
                f"a process was stopped by signal {-code}, perhaps for want of memory; the same command goes"
                " on from the last checkpoint, if it keeps any"
            ) from error
        return code
    return 0
