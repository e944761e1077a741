"""A real Ray cluster of two nodes of one core each, on this machine."""

import os
import secrets
from contextlib import contextmanager
from pathlib import Path

import pytest

import unequal

# Ray reads these when it is imported: a password of its own, and nothing sent anywhere.
os.environ |= {
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
    "RAY_USAGE_STATS_ENABLED": "0",
}
ray = pytest.importorskip("ray")

SMALL_STORE = 80 << 20


@contextmanager
def two_nodes():
    """Yield the cluster; its workers can import what tests import."""
    from ray.cluster_utils import Cluster

    seen = [Path(__file__).parent, Path(unequal.__file__).parents[1]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(map(str, seen)))
        cluster = Cluster(initialize_head=True, head_node_args=node())
        try:
            cluster.add_node(**node())
            yield cluster
        finally:
            ray.shutdown()
            cluster.shutdown()


def node():
    """Return what makes a node."""
    return {"num_cpus": 1, "object_store_memory": SMALL_STORE, "include_dashboard": False}
