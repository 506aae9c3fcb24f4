"""The values of docs/hub.md for Kubernetes, rendered to a pod by KubeSpawner; no cluster is asked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jupyterhub.objects import Hub
from jupyterhub.orm import Spawner as OrmSpawner
from kubernetes_asyncio.config import kube_config
from kubespawner import KubeSpawner

DOCUMENT = Path(__file__).parents[2] / "docs" / "hub.md"


class FakeUser:
    """As much of a user as the spawner looks at."""

    id = 1
    name = escaped_name = "ann"
    url = "/user/ann/"
    settings: dict[str, Any] = {}


@pytest.fixture
def values() -> dict[str, Any]:
    [text] = re.findall(r"```yaml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    read: dict[str, Any] = yaml.safe_load(text)["singleuser"]
    return read


def make_spawner(values: dict[str, Any]) -> KubeSpawner:
    """One that has the values; it needs a running event loop."""
    hub = Hub(public_host="", base_url="/hub/")
    spawner = KubeSpawner(
        _mock=True, user=FakeUser(), orm_spawner=OrmSpawner(name=""), hub=hub, namespace="apps",
        profile_list=values["profileList"], image=f"{values['image']['name']}:{values['image']['tag']}",
        cookie_options={}, api_token="t",
    )  # fmt: skip
    spawner.user_options = {"profile": "sales"}
    return spawner


@pytest.fixture(autouse=True)
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is never asked."""
    kubeconfig = tmp_path / "config"
    cluster = {"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}
    context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
    kubeconfig.write_text(
        yaml.safe_dump(
            {"apiVersion": "v1", "kind": "Config", "clusters": [cluster], "contexts": [context],
             "current-context": "x", "users": [{"name": "u", "user": {}}]}
        )
    )  # fmt: skip
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(kubeconfig))


async def test_the_profile_becomes_a_pod(values: dict[str, Any]) -> None:
    spawner = make_spawner(values)
    await spawner.load_user_options()
    pod = (await spawner.get_pod_manifest()).to_dict()
    [container] = pod["spec"]["containers"]
    assert container["args"][:3] == ["jupyter", "standaloneproxy", "--"]
    assert container["args"][-1] == "--server.port={port}"  # braces are ours to fill in, not the spawner's
    assert container["image"] == "registry.example.org/apps:1"
    assert container["readiness_probe"]["httpGet"] == {"path": "/readyz", "port": 8888}
    assert container["liveness_probe"]["httpGet"]["path"] == "/healthz"
    assert pod["spec"]["termination_grace_period_seconds"] == 15
    assert (spawner.delete_grace_period, spawner.http_timeout) == (15, 120)
    environment = {entry["name"]: entry["value"] for entry in container["env"]}
    assert environment["JUPYTERHUB_SERVICE_URL"].startswith("http://0.0.0.0:8888")
