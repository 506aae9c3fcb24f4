"""Which Jupyter server a command is for."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from jupyter_server_proxy.cli.failure import ExitCode, Failure
from jupyter_server_proxy.cli.running import Choice, find_jupyter, list_running


def info(port: int = 8888, **more: Any) -> dict[str, Any]:
    base_url = more.get("base_url", "/")
    return {
        "url": f"http://localhost:{port}{base_url}", "hostname": "localhost", "port": port, "base_url": base_url,
        "token": f"token-{port}", "root_dir": f"/home/me/{port}", "sock": "", "pid": 1, **more,
    }  # fmt: skip


def find(*running: dict[str, Any], environment: dict[str, str] | None = None, **choice: Any):
    return find_jupyter(Choice(cwd="/elsewhere", environment=environment or {}, **choice), lambda: running)


def code_of(*running: dict[str, Any], **choice: Any) -> ExitCode:
    with pytest.raises(Failure) as raised:
        find(*running, **choice)
    return raised.value.code


# ---- one that runs


def test_the_only_one() -> None:
    found = find(info(base_url="/user/me/"))
    assert (found.url, found.base_url, found.token) == ("http://localhost:8888/user/me/", "/user/me/", "token-8888")
    assert found.link("/user/me/app/") == "http://localhost:8888/user/me/app/"
    assert not found.verify


def test_none_runs() -> None:
    assert code_of() is ExitCode.NO_JUPYTER
    assert code_of(info(1), port=2) is ExitCode.NO_JUPYTER


def test_by_port() -> None:
    assert find(info(1), info(2), port=2).token == "token-2"


@pytest.mark.parametrize("hostname", ["0.0.0.0", "::", "", "*"])
def test_one_that_listens_on_all_addresses_is_asked_here(hostname: str) -> None:
    found = find(info(hostname=hostname, url="https://some-machine:8888/base/", base_url="/base/"))
    assert found.url == "https://localhost:8888/base/"


def test_a_unix_socket() -> None:
    found = find(info(sock="/run/jupyter.sock", url="http+unix://%2Frun%2Fjupyter.sock/"))
    assert (found.url, found.socket, found.place) == ("", "/run/jupyter.sock", "unix:/run/jupyter.sock")
    assert found.link("/app/") == "/app/"


def test_tokens() -> None:
    variables = {"JUPYTER_TOKEN": "of-variable"}
    assert find(info(), environment=variables).token == "token-8888"
    assert find(info(token=""), environment=variables).token == "of-variable"
    assert find(info(), environment=variables, token="of-option").token == "of-option"
    with pytest.raises(Failure, match="characters") as raised:
        find(info(), token="with\nbreak")
    assert "with" not in raised.value.message
    assert "token-8888" not in repr(find(info()))
    assert "of-option" not in repr(Choice(token="of-option", environment=variables))


def test_a_server_of_jupyterhub() -> None:
    variables = {
        "JUPYTERHUB_SERVICE_PREFIX": "/user/me/",
        "JUPYTERHUB_API_TOKEN": "of-hub",
        "JUPYTERHUB_PUBLIC_URL": "https://hub.example.org/user/me/",
    }
    found = find(info(token="", base_url="/user/me/"), environment=variables)
    assert found.token == "of-hub"
    assert found.url == "http://localhost:8888/user/me/"
    assert found.link("/user/me/app/") == "https://hub.example.org/user/me/app/"
    assert find(info(token=""), environment=variables).token == "", "the hub's token is not for others"


# ---- several


def test_the_nearest_one_is_taken(tmp_path: Path) -> None:
    outer, inner = info(1, root_dir=str(tmp_path)), info(2, root_dir=str(tmp_path / "project"))
    cwd = str(tmp_path / "project" / "src")
    assert find_jupyter(Choice(cwd=cwd), lambda: [outer, inner, info(3)]).token == "token-2"
    assert find_jupyter(Choice(cwd=str(tmp_path)), lambda: [outer, inner, info(3)]).token == "token-1"


def test_a_name_that_only_begins_alike_is_not_around_us(tmp_path: Path) -> None:
    with pytest.raises(Failure):
        find_jupyter(Choice(cwd=str(tmp_path / "ab")), lambda: [info(1, root_dir=str(tmp_path / "a")), info(2)])


def test_the_one_in_whose_terminal_we_are() -> None:
    found = find(info(1), info(2), environment={"JUPYTER_SERVER_URL": "http://localhost:2/"})
    assert found.token == "token-2"


def test_several_are_told_without_tokens() -> None:
    with pytest.raises(Failure) as raised:
        find(info(1), info(2))
    assert raised.value.code is ExitCode.NO_JUPYTER
    assert "http://localhost:1/  /home/me/1" in raised.value.message
    assert "token" not in raised.value.message


# ---- by address


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:8888", "http://localhost:8888/"),
        ("http://localhost:8888/lab", "http://localhost:8888/"),
        ("https://example.org/user/me/lab/tree/x.ipynb?reset", "https://example.org/user/me/"),
        ("http://localhost:8888/tree?token=x", "http://localhost:8888/"),
        ("http://[::1]:8888/base", "http://[::1]:8888/base/"),
        ("http://user:password@localhost:1/laboratory/", "http://localhost:1/laboratory/"),
    ],
)
def test_what_people_copy_from_a_browser(url: str, expected: str) -> None:
    assert find(url=url).url == expected


def test_certificates_of_other_machines_are_verified() -> None:
    assert find(url="https://example.org/").verify
    assert find(url="https://localhost.example.org/").verify
    assert not find(url="https://127.0.0.1/").verify


def test_tokens_by_address() -> None:
    variables = {"JUPYTER_TOKEN": "of-variable"}
    url = "http://localhost:8888/?token=of-url"
    assert find(url=url, environment=variables).token == "of-url"
    assert find(url="http://localhost:8888/", environment=variables).token == "of-variable"
    assert find(info(), url="http://127.0.0.1:8888/").token == "token-8888"
    for other in ("http://example.org:8888/", "http://localhost:8889/", "http://localhost:8888/base/"):
        assert find(info(), url=other).token == ""


def test_a_unix_socket_by_address() -> None:
    found = find(url="http+unix://%2Frun%2Fjupyter.sock/base/", token="x")
    assert (found.socket, found.base_url) == ("/run/jupyter.sock", "/base/")


@pytest.mark.parametrize(
    "url", ["localhost:8888", "ftp://localhost/", "http://", "http+unix:///x", "http://a:b/", "http://[::1/"]
)
def test_what_is_no_address(url: str) -> None:
    assert code_of(url=url) is ExitCode.USAGE


# ---- the files that Jupyter writes


def test_files_of_running_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found are those that Jupyter itself finds."""
    from jupyter_server.serverapp import list_running_servers

    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    assert list_running() == []
    alive = info(pid=os.getpid())
    (tmp_path / f"jpserver-{os.getpid()}.json").write_text(json.dumps(alive))
    (tmp_path / "jpserver-2.json").write_text(json.dumps(info(pid=2**22 + 1)))
    (tmp_path / "jpserver-3.json").write_text("{")
    (tmp_path / "jpserver-4.json").write_text(json.dumps({"port": 1}))
    (tmp_path / "kernel-5.json").write_text(json.dumps(alive))
    (tmp_path / "jpserver-6-open.html").write_text("")
    assert list_running() == [alive]
    assert list(list_running_servers()) == [alive]
