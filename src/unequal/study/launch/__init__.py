"""Launchers: where the steps of a study run. They differ in place, never in result."""

from unequal.registry import Registry
from unequal.study.launch.launcher import Launcher

LAUNCHERS: Registry[Launcher] = Registry(
    "launcher",
    {
        "local": "unequal.study.launch.local:LocalExecutor",
        "ray": "unequal.study.launch.ray:RayExecutor",
    },
)
