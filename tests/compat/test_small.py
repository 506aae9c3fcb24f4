"""Small packages, each with something of its own: a unix socket; a fixed port and header fields that win."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from xml.etree import ElementTree

import pytest
from harness import Jupyter, listens

#: Syncthing talks to the world, unless it is told not to.
QUIET = {
    "globalAnnounceEnabled": "false", "localAnnounceEnabled": "false", "relaysEnabled": "false", "natEnabled": "false",
    "urAccepted": "-1", "crashReportingEnabled": "false", "autoUpgradeIntervalH": "0", "startBrowser": "false",
    "listenAddress": "tcp://127.0.0.1:0",
}  # fmt: skip


@pytest.fixture(scope="module")
def jupyter(start_jupyter: Callable[..., Jupyter]) -> Jupyter:
    return start_jupyter("c.ServerApp.allow_remote_access = True", base_url="/base/")


@pytest.mark.package("hello-jupyter-proxy")
def test_hello(jupyter: Jupyter) -> None:
    """Its page, over a unix socket"""
    page = jupyter.get("hello/some/path?x=1")
    assert page.status == 200
    assert "/some/path?x=1" in page.text
    assert jupyter.get("hello").get("Location") == "/base/hello/"
    listed = {one["name"]: one for one in jupyter.get("server-proxy/servers-info").json()["server_processes"]}
    assert listed["hello"]["launcher_entry"]["title"] == "hello"


@pytest.mark.package("jupyter-syncthing-proxy", "Syncthing")
def test_syncthing(jupyter: Jupyter) -> None:
    """Its page, scripts and REST interface, on a fixed port; Host overridden, icon served"""
    assert not listens(8384), "something else listens on Syncthing's port"
    home = jupyter.directory / ".config/syncthing"
    subprocess.run(["syncthing", "generate", "--home", home, "--no-default-folder"], check=True, capture_output=True,
                   env={"HOME": str(jupyter.directory), "PATH": "/usr/bin"})  # fmt: skip
    tree = ElementTree.parse(home / "config.xml")
    options = tree.getroot().find("options")
    assert options is not None
    for name, value in QUIET.items():
        for element in options.findall(name) or [ElementTree.SubElement(options, name)]:
            element.text = value
    tree.write(home / "config.xml")
    connection = jupyter.connect()
    connection.request(
        "GET", "/base/syncthing/", headers={"Host": "lab.example", "Authorization": f"token {jupyter.token}"}
    )
    response = connection.getresponse()
    page = response.read().decode()
    connection.close()
    assert (response.status, "Syncthing" in page) == (200, True)  # without the override: 403, Host check error
    assert jupyter.get("syncthing/syncthing/app.js").status == 200
    key = tree.getroot().findtext("gui/apikey") or ""
    ping = jupyter.get("syncthing/rest/system/ping", headers={"X-API-Key": key})
    assert ping.json() == {"ping": "pong"}
    icon = jupyter.get("server-proxy/icon/syncthing")
    assert (icon.status, icon.get("Content-Type")) == (200, "image/svg+xml")
