"""A Ray cluster: the one that is named, or that runs here, or one made of this machine."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from unequal.errors import MissingExtraError, UserError


def load_ray(purpose: str) -> Any:
    """Return the library; raises `MissingExtraError`, which names the purpose, when it is not installed."""
    try:
        import ray  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError(purpose, "ray") from error
    return ray


@contextmanager
def connected(ray: Any, address: str | None = None) -> Iterator[None]:
    """Connect to a cluster, unless this process has done so; leave it only if it was joined here.

    Without an address it is the one that ``RAY_ADDRESS`` names. Raises `UserError` when there is no such
    cluster.
    """
    if ray.is_initialized():
        yield
        return
    known = address or os.environ.get("RAY_ADDRESS") or _last_started()
    try:
        _knock(known)
        ray.init(address, log_to_driver=False, logging_level=logging.WARNING, include_dashboard=False)
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        otherwise = "leave --address out" if address else "unset RAY_ADDRESS"
        raise UserError(
            f"no Ray cluster answers at {known or 'this machine'} ({error}); start one with"
            f" 'ray start --head', or {otherwise} and run 'ray stop' to make one of this machine only"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _last_started() -> str:
    """Return the address where Ray looks when it is given none (see ``ray.init``)."""
    with suppress(OSError):
        folder = Path(os.environ.get("RAY_TMPDIR", "/tmp")) / "ray"
        return (folder / "ray_current_cluster").read_text(encoding="utf-8").strip()
    return ""


def _knock(address: str) -> None:
    """Raise `OSError` when nobody listens at an address like ``host:6379``; Ray would try for minutes."""
    host, _, port = address.rpartition(":")
    if port.isdigit() and "/" not in host:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
