"""A real Ray cluster of two nodes of one core each, on this machine."""

import os
import secrets
from contextlib import contextmanager
from pathlib import Path

import pytest

import unequal
from waiting import HANGS

# Ray reads these when it is imported: a password of its own, and nothing sent anywhere.
os.environ |= {
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
    "RAY_USAGE_STATS_ENABLED": "0",
}
ray = pytest.importorskip("ray")

SMALL_STORE = 80 << 20
TRIES = 10


@contextmanager
def two_nodes():
    """Yield the cluster; its workers can import what tests import."""
    from ray.cluster_utils import Cluster

    seen = [Path(__file__).parent, Path(unequal.__file__).parents[1]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(map(str, seen)))
        cluster = Cluster()
        try:
            for _ in range(2):
                add_node(cluster)
            yield cluster
        finally:
            ray.shutdown()
            cluster.shutdown()


def add_node(cluster):
    """Start a node and wait until the cluster has it; Ray gives one half a minute, and is asked again."""
    for tries_left in reversed(range(TRIES)):
        try:
            cluster.add_node(num_cpus=1, object_store_memory=SMALL_STORE, include_dashboard=False, wait=False)
            break
        except Exception as error:
            if not tries_left or "timed out" not in str(error):
                raise
    cluster.wait_for_nodes(timeout=HANGS)
