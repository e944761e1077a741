"""Launchers, which count the shards of a corpus on this machine or a cluster, with equal results."""

from unequal.counting.launch.launcher import Launcher
from unequal.registry import Registry

LAUNCHERS: Registry[Launcher] = Registry(
    "launcher",
    {
        "local": "unequal.counting.launch.local:run_here",
        "ray": "unequal.counting.launch.ray:run_on_ray",
    },
)
