"""Connection to a Ray cluster: a named one, a running one, or a new private one on this machine."""

import logging
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from unequal.errors import MissingExtraError, UserError

FIRST_WITH_TOKENS = (2, 60)
"""The first version of Ray that requires a token by default in clusters that it starts."""

ANYWHERE = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""Ray's environment variable that allows clusters of several machines, on every system."""


def load_ray(purpose: str) -> Any:
    """Return the module ray; raises `MissingExtraError`, which names the purpose, if it is not installed."""
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError(purpose, "ray") from error
    return ray


@contextmanager
def connected(ray: Any, address: str | None = None) -> Iterator[None]:
    """Connect to a Ray cluster while the block runs, unless this process is connected already.

    Without an address it uses ``RAY_ADDRESS`` or a cluster that this user has started on this machine. If
    there is none, it starts one that only this machine can reach, and only with a token. Raises `UserError`
    when the cluster does not answer, or when Ray is too old to start a private one.
    """
    if ray.is_initialized():
        yield
        return
    known = address or os.environ.get("RAY_ADDRESS") or _last_started()
    try:
        if known:
            _knock(known)
            _start(ray, address)
        else:
            with _on_loopback(ray):
                _start(ray, "local")
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


def _start(ray: Any, address: str | None) -> None:
    ray.init(address, log_to_driver=False, logging_level=logging.WARNING, include_dashboard=False)


@contextmanager
def _on_loopback(ray: Any) -> Iterator[None]:
    """Make a cluster started in this block listen on the loopback interface only and require a token.

    Ray does this by default on Windows and macOS, by a variable that it reads on import. On other systems it
    rejects a loopback address and listens on every interface. Raises `UserError` for a version of Ray
    without token authentication by default.
    """
    constants = ray._private.ray_constants
    if _number(ray.__version__) < FIRST_WITH_TOKENS or not hasattr(constants, "ENABLE_RAY_CLUSTER"):
        wanted = ".".join(map(str, FIRST_WITH_TOKENS))
        raise UserError(
            f"Ray {ray.__version__} cannot make a cluster that others cannot reach; run:"
            f" pip install 'ray>={wanted}', or start one with 'ray start --head'"
        )
    if not _has_token():
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)  # Ray would write one that others may read
    logging.getLogger("ray._private.authentication").setLevel(logging.ERROR)  # it says that it asks for one
    before = constants.ENABLE_RAY_CLUSTER, os.environ.get(ANYWHERE)
    constants.ENABLE_RAY_CLUSTER, os.environ[ANYWHERE] = False, "0"
    try:
        yield
    finally:
        constants.ENABLE_RAY_CLUSTER = before[0]
        del os.environ[ANYWHERE]
        if before[1] is not None:
            os.environ[ANYWHERE] = before[1]


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())


def _has_token() -> bool:
    named = any(os.environ.get(name) for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"))
    return named or (Path.home() / ".ray" / "auth_token").is_file()


def _last_started() -> str:
    """Return the address that Ray uses by default (see ``ray.init``).

    Anyone who can write to the temporary folder could name a cluster there to receive this user's work, so
    only files of this user or of root are used.
    """
    with suppress(OSError):
        path = Path(os.environ.get("RAY_TMPDIR", "/tmp")) / "ray" / "ray_current_cluster"
        if not hasattr(os, "getuid") or path.stat().st_uid in (os.getuid(), 0):
            return path.read_text(encoding="utf-8").strip()
    return ""


def _knock(address: str) -> None:
    """Check that ``host:port`` accepts connections (Ray would try for minutes); raises `OSError`."""
    host, _, port = address.rpartition(":")
    if port.isdigit() and "/" not in host:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
