"""Which of several processes says what went wrong, so that the user reads it once."""

from contextlib import suppress

from torch import distributed
from torch.distributed.distributed_c10d import Store, _get_default_store

from unequal import distributed_env

_FAILED = "unequal/failed"


def is_first_to_fail() -> bool:
    """Note that this process fails, and return whether none did before."""
    store = _store()
    return distributed_env.speaks() if store is None else int(store.add(_FAILED, 1)) == 1


def another_failed() -> bool:
    """Return whether a process has said that it fails, of which errors of the connection are but a result."""
    store = _store()
    return store is not None and int(store.add(_FAILED, 0)) > 0


def _store() -> Store | None:
    """Return what processes can tell each other by when one has ended, None when they have not met."""
    if not distributed.is_initialized():
        return None
    with suppress(RuntimeError):  # the launcher, which holds it, is gone too
        store: Store = _get_default_store()
        store.add(_FAILED, 0)
        return store
    return None
