"""A Ray cluster made for this machine alone: nobody else reaches it, and nobody without its token."""

import ipaddress
import json
import os
import subprocess
import sys
import tempfile
from types import SimpleNamespace

import pytest

from unequal import ray_cluster
from unequal.errors import UserError
from waiting import HANGS

psutil = pytest.importorskip("psutil")
pytest.importorskip("ray")

PROGRAM = """
import json, os, sys
import psutil
from unequal.ray_cluster import connected, load_ray

ray = load_ray("a test")
with connected(ray):
    pid = ray.get(ray.remote(num_cpus=1)(lambda: os.getpid()).remote())
    me = psutil.Process()
    family = [me, *me.children(recursive=True)]
    listening = {
        str(connection.laddr.ip)
        for process in family
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    from ray._private.authentication.authentication_utils import is_token_auth_enabled

    found = {
        "listening": sorted(listening), "processes": [process.pid for process in family], "worker": pid,
        "token": is_token_auth_enabled(),
        "left": os.environ.get("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"),
        "address": ray.get_runtime_context().gcs_address,
    }
assert not ray.is_initialized()
print(json.dumps(found))
"""


@pytest.mark.full
@pytest.mark.fault(
    "a Ray cluster is made of this machine alone",
    "all its processes listen on the loopback interface and ask for a token; no token is left on the disk",
)
def test_a_cluster_of_this_machine_listens_on_loopback_only_and_asks_for_a_token(tmp_path):
    unset = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    command = [sys.executable, "-c", PROGRAM]
    with tempfile.TemporaryDirectory(prefix="r") as short:  # the names of sockets must be short
        environment = unset | {"HOME": str(tmp_path), "RAY_USAGE_STATS_ENABLED": "0", "RAY_TMPDIR": short}
        result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=HANGS)
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout.splitlines()[-1])
    assert found["worker"] in found["processes"] and len(found["processes"]) >= 4
    assert found["listening"] and found["token"] and found["left"] is None
    for address in found["listening"]:
        ip = ipaddress.ip_address(address)
        assert (getattr(ip, "ipv4_mapped", None) or ip).is_loopback, found
    assert not (tmp_path / ".ray").exists()
    assert "Token authentication" not in result.stderr


@pytest.mark.parametrize("version", ["2.9.3", "2.59.1", "1.13.0"])
def test_a_ray_that_is_too_old_is_refused(version, monkeypatch, tmp_path):
    for name in ("RAY_ADDRESS", "RAY_TMPDIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    constants = SimpleNamespace(ENABLE_RAY_CLUSTER=True)
    old = SimpleNamespace(
        __version__=version, is_initialized=lambda: False, _private=SimpleNamespace(ray_constants=constants),
        exceptions=SimpleNamespace(RayError=ZeroDivisionError),
    )  # fmt: skip
    with (
        pytest.raises(UserError, match=r"others cannot reach; run: pip install 'ray>=2\.60'"),
        ray_cluster.connected(old),
    ):
        pass


def test_a_cluster_that_another_user_names_is_not_joined(tmp_path, monkeypatch):
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text("192.0.2.1:6379")
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    assert ray_cluster._last_started() == "192.0.2.1:6379"
    owner = (tmp_path / "ray").stat().st_uid
    if owner == 0:
        try:
            os.chown(tmp_path / "ray" / "ray_current_cluster", 12345, -1)
        except PermissionError:
            pytest.skip("files cannot be given away here")
    else:
        monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    assert ray_cluster._last_started() == ""
