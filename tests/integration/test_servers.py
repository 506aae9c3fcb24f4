"""A configured server from its first request to its end, with a real Jupyter and a real child."""

from __future__ import annotations

import pytest
from harness import APPS, Jupyter, wait_until


@pytest.fixture(scope="module")
def jupyter(start_jupyter, tmp_path_factory):
    prelude = f"APPS, MARKER = {str(APPS)!r}, {str(tmp_path_factory.mktemp('marker') / 'died')!r}\n"
    return start_jupyter(
        prelude
        + """
c.ServerProxy.servers = {
    "echo": {"command": ECHO},
    "sock": {"command": ECHO, "unix_socket": True},
    "full": {"command": ECHO, "absolute_url": True},
    "fails": {"command": [sys.executable, "-c", "print('sorry <b>'); raise SystemExit(3)"]},
    "missing": {"command": ["no-such-program-here"]},
    "dying": {"command": [sys.executable, APPS + "/dying.py", "{port}", MARKER], "timeout": 30},
    "dying-post": {"command": [sys.executable, APPS + "/dying.py", "{port}", MARKER + "-post"], "timeout": 30},
}
""",
        base_url="/base/",
    )


def test_first_request_starts_it(jupyter: Jupyter) -> None:
    answer = jupyter.get("echo/some/path?x=1")
    assert answer.status == 200
    assert answer.json()["target"] == "/some/path?x=1"
    assert jupyter.get("echo/again").json()["pid"] == answer.json()["pid"]


def test_unix_socket(jupyter: Jupyter) -> None:
    assert jupyter.get("sock/x").json()["target"] == "/x"


def test_absolute(jupyter: Jupyter) -> None:
    assert jupyter.get("full/x").json()["target"] == "/base/full/x"


def test_p9_exit_during_start(jupyter: Jupyter) -> None:
    answer = jupyter.get("fails/", headers={"Accept": "text/html"})
    assert answer.status == 503
    assert "exited with status 3 while it was starting" in answer.text
    assert "sorry &lt;b&gt;" in answer.text


def test_p9_command_not_found(jupyter: Jupyter) -> None:
    answer = jupyter.get("missing/")
    assert answer.status == 503
    assert "no-such-program-here" in answer.text


@pytest.mark.behaviour("P4", "H18")
def test_p4_a_request_that_meets_a_dying_server_is_repeated(jupyter: Jupyter) -> None:
    first = jupyter.get("dying/").text
    answer = jupyter.get("dying/die")
    assert answer.status == 200
    assert answer.text != first


@pytest.mark.behaviour("H18")
def test_h18_not_if_it_may_change_something(jupyter: Jupyter) -> None:
    first = jupyter.get("dying-post/").text
    assert jupyter.request("POST", "dying-post/die", body=b"x").status == 502
    wait_until(lambda: jupyter.get("dying-post/").text != first, "the server to be started again")


def test_several_launcher_entries_and_their_icons(start_jupyter, tmp_path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.svg").write_text(f"<svg>{name}</svg>")
    entries = [
        {"title": "One", "icon_path": str(tmp_path / "one.svg")},
        {"title": "Two", "path_info": "echo/x?a=1#b", "icon_path": str(tmp_path / "two.svg"), "category": "C"},
        {"title": "Hidden", "enabled": False},
    ]
    jupyter = start_jupyter(f'c.ServerProxy.servers = {{"echo": {{"command": ECHO, "launcher_entry": {entries!r}}}}}')
    (info,) = jupyter.get("server-proxy/servers-info").json()["server_processes"]
    assert info["launcher_entry"] == info["launcher_entries"][0]
    assert [entry["title"] for entry in info["launcher_entries"]] == ["One", "Two", "Hidden"]
    assert info["launcher_entries"][1] == {
        "enabled": True, "title": "Two", "path_info": "echo/x?a=1#b", "category": "C",
        "icon_url": "/server-proxy/icon/echo?entry=1",
    }  # fmt: skip
    for entry, content in zip(info["launcher_entries"], ("one", "two"), strict=False):
        icon = jupyter.get(entry["icon_url"].lstrip("/"))
        assert (icon.status, icon.text) == (200, f"<svg>{content}</svg>")
    for wrong in ("2", "9", "x", "../two.svg"):
        assert jupyter.get(f"server-proxy/icon/echo?entry={wrong}").status == 404
