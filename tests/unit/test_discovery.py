"""Servers of installed packages."""

from __future__ import annotations

import importlib.metadata
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_server_proxy.config import ServerProcess
from jupyter_server_proxy.discovery import discover

LOG = logging.getLogger("test")

PLUGIN = """
import sys
from jupyter_server_proxy.config import ServerProcess

shared = {"command": ["a", "{port}"], "launcher_entry": {"title": "T"}}
not_callable = {"port": 1}

def good(): return shared
def also_good(): return shared
def instance(): return ServerProcess(port=4)
class OfClass(dict):
    def __init__(self): super().__init__(port=5)
def raises(): raise RuntimeError("out of order")
def exits(): sys.exit(3)
def interrupts(): raise KeyboardInterrupt
def returns_none(): return None
def wrong_option(): return {"port": "80a"}
def missing_program(): return {"command": [None, "x"]}
def nothing(): return {}
def renamed(): return {"name": "other", "port": 6}
def unknown(): return {"port": 7, "new_browser_window": True}
"""

Install = Callable[[str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Installs a package whose entry points are the given lines; no other package is seen."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    real: Any = importlib.metadata.entry_points

    def of_the_package(**selection: Any) -> Any:
        return [found for found in real(**selection) if found.dist and found.dist.name == "proxy-plugin-for-tests"]

    monkeypatch.setattr(importlib.metadata, "entry_points", of_the_package)
    monkeypatch.delitem(sys.modules, "proxy_plugin_for_tests", raising=False)

    def write(lines: str) -> None:
        (tmp_path / "proxy_plugin_for_tests.py").write_text(PLUGIN)
        info = tmp_path / "proxy_plugin_for_tests-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: proxy-plugin-for-tests\nVersion: 1.2\n")
        points = "\n".join(line.strip() for line in lines.splitlines() if line.strip())
        (info / "entry_points.txt").write_text(f"[jupyter_serverproxy_servers]\n{points}\n")

    yield write
    sys.modules.pop("proxy_plugin_for_tests", None)


def test_entry_points_become_servers(install: Install, caplog: pytest.LogCaptureFixture) -> None:
    install(
        """
        a = proxy_plugin_for_tests:good
        b = proxy_plugin_for_tests:also_good
        c = proxy_plugin_for_tests:instance
        d = proxy_plugin_for_tests:OfClass
        e = proxy_plugin_for_tests:renamed
        """
    )
    servers = {server.name: server for server in discover(LOG)}
    assert {name: server.port for name, server in servers.items()} == {"a": 0, "b": 0, "c": 4, "d": 5, "other": 6}
    assert all(type(server) is ServerProcess for server in servers.values())
    assert [servers[name].spec().launcher.path_info for name in "ab"] == ["a/", "b/"]
    assert not caplog.records


def test_a_shared_dictionary_is_not_mutated(install: Install) -> None:
    install("a = proxy_plugin_for_tests:good\nb = proxy_plugin_for_tests:also_good")
    discover(LOG)
    shared = sys.modules["proxy_plugin_for_tests"].shared
    assert shared == {"command": ["a", "{port}"], "launcher_entry": {"title": "T"}}


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("proxy_plugin_nowhere:x", "its entry point cannot be imported: ModuleNotFoundError: No module named"),
        ("proxy_plugin_for_tests:nope", "its entry point cannot be imported: AttributeError"),
        (
            "proxy_plugin_for_tests:not_callable",
            "must be a function that returns a dictionary, got a value of type dict",
        ),
        ("proxy_plugin_for_tests:raises", "its entry point failed when it was called: RuntimeError: out of order"),
        ("proxy_plugin_for_tests:exits", "its entry point failed when it was called: SystemExit: 3"),
        (
            "proxy_plugin_for_tests:returns_none",
            "must be a dictionary or a ServerProcess, got a value of type NoneType",
        ),
        ("proxy_plugin_for_tests:wrong_option", "option 'port' must be an integer from 0 to 65535, got the str '80a'"),
        ("proxy_plugin_for_tests:missing_program", "'command' has None in place of word 1 of 2"),
        ("proxy_plugin_for_tests:nothing", "nothing tells how to reach it"),
    ],
)
def test_a_broken_entry_point_is_skipped_with_one_warning_p11(
    reference: str, message: str, install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    install(f"bad = {reference}\ngood = proxy_plugin_for_tests:good")
    assert [server.name for server in discover(LOG)] == ["good"]
    (record,) = caplog.records
    warning = record.getMessage()
    assert record.levelname == "WARNING"
    assert warning.startswith("server 'bad': ")
    assert message in warning
    assert warning.endswith(f"(entry point {reference!r} of proxy-plugin-for-tests 1.2); this server is skipped")


def test_a_bad_name_is_skipped(install: Install, caplog: pytest.LogCaptureFixture) -> None:
    install("a b = proxy_plugin_for_tests:good")
    assert discover(LOG) == []
    assert "option 'name' must consist of characters" in caplog.text


def test_unknown_keys_only_warn(install: Install, caplog: pytest.LogCaptureFixture) -> None:
    install("a = proxy_plugin_for_tests:unknown")
    assert len(discover(LOG)) == 1
    assert "server 'a': unknown key 'new_browser_window' is ignored" in caplog.text


def test_a_keyboard_interrupt_ends_the_search(install: Install) -> None:
    install("a = proxy_plugin_for_tests:interrupts")
    with pytest.raises(KeyboardInterrupt):
        discover(LOG)


def test_damaged_metadata_leaves_the_configured_servers(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def entry_points(**selection: Any) -> Any:
        raise ValueError("damaged")

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    assert discover(LOG) == []
    assert "cannot be searched for servers (ValueError: damaged)" in caplog.text


def test_a_package_that_cannot_be_named(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    point = importlib.metadata.EntryPoint("bad", "proxy_plugin_nowhere:x", "jupyter_serverproxy_servers")
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **selection: [point])
    assert discover(LOG) == []
    assert "(entry point 'proxy_plugin_nowhere:x' of an unknown package); this server is skipped" in caplog.text
