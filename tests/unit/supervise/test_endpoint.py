"""Where a server is to listen; what the system says about ports and sockets is pretended."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jupyter_server_proxy.errors import StartFailed
from jupyter_server_proxy.rules.spec import ServerSpec, TlsSpec
from jupyter_server_proxy.supervise import endpoint as module
from jupyter_server_proxy.supervise.endpoint import Endpoint
from jupyter_server_proxy.upstream.address import TcpAddress, UnixAddress


class System:
    """Ports and unix sockets."""

    def __init__(self) -> None:
        self.offered = iter(range(5001, 6000))
        self.busy: set[int] = set()
        self.answered: set[str] = set()
        self.sockets: set[str] = set()  # files that are to pass for sockets
        self.foreign: set[str] = set()  # files that are to belong to another user

    def allocate(self) -> int:
        return next(port for port in self.offered if port not in self.busy)

    def lstat(self, path: str) -> Any:
        found = os.lstat(path)
        mode = stat.S_IFSOCK | 0o600 if str(path) in self.sockets else found.st_mode
        owner = found.st_uid + (str(path) in self.foreign)
        return SimpleNamespace(st_mode=mode, st_uid=owner, st_size=found.st_size)


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> System:
    system = System()
    monkeypatch.setattr(module, "allocate_port", system.allocate)
    monkeypatch.setattr(module, "is_free", lambda port: port not in system.busy)
    monkeypatch.setattr(module, "is_answered", lambda path: path in system.answered)
    names = {name: getattr(os, name) for name in ("fsencode", "geteuid", "unlink", "path")}
    monkeypatch.setattr(module, "os", SimpleNamespace(lstat=system.lstat, **names))
    monkeypatch.setattr(module, "_handed_out", set())
    return system


def endpoint(**options: Any) -> Endpoint:
    return Endpoint(ServerSpec("app", command=("run",), **options))


# ---- ports


def test_a_port_is_chosen_at_the_first_use_and_kept(system: System) -> None:
    it = endpoint()
    assert next(system.offered) == 5001, "none was taken before"
    assert (it.port, it.port, it.listening_port) == (5002, 5002, 5002)
    assert (it.is_unix, it.path) == (False, "")
    assert it.arguments() == {"port": 5002, "unix_socket": ""}
    it.prepare()
    assert it.port == 5002


def test_a_port_that_somebody_took_meanwhile_is_replaced(system: System) -> None:
    it = endpoint()
    first = it.port
    system.busy.add(first)
    it.prepare()
    assert it.port not in (first, 0)


def test_a_configured_port_is_never_replaced(system: System) -> None:
    it = endpoint(port=8000)
    system.busy.add(8000)
    it.prepare()
    it.release()
    assert it.port == 8000


def test_both_loopback_addresses_are_candidates_one_at_a_time() -> None:
    tls = TlsSpec()
    assert endpoint(port=8000, tls=tls).candidates == (
        TcpAddress(("127.0.0.1",), 8000, tls),
        TcpAddress(("::1",), 8000, tls),
    )


def test_a_server_that_was_found_elsewhere_is_looked_for_there_until_its_next_start(system: System) -> None:
    it = endpoint(port=8000)
    assert it.move(9000)
    assert not it.move(9000)
    assert (it.port, it.listening_port) == (8000, 9000), "its templates were filled with the port that it was told"
    assert {address.port for address in it.candidates if isinstance(address, TcpAddress)} == {9000}
    it.prepare()
    assert it.listening_port == 8000


def test_a_released_port_is_chosen_anew(system: System) -> None:
    it = endpoint()
    first = it.port
    it.release()
    assert it.port != first


def test_released_and_replaced_ports_may_be_handed_out_again(system: System) -> None:
    it = endpoint()
    module._handed_out.add(it.port)
    it.release()
    assert module._handed_out == set()
    module._handed_out.add(it.port)
    system.busy.add(it.port)
    it.prepare()
    assert module._handed_out == set()


class FakeSocket:
    """Gets the ports of the system in turn."""

    offered: list[int]

    def __enter__(self) -> FakeSocket:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def bind(self, address: tuple[str, int]) -> None:
        assert address == ("127.0.0.1", 0)

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", self.offered.pop(0)


def test_a_port_is_given_to_one_server_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "socket", SimpleNamespace(socket=FakeSocket))
    monkeypatch.setattr(module, "_handed_out", {6001})
    monkeypatch.setattr(module, "is_free", lambda port: port != 6002)
    monkeypatch.setattr(FakeSocket, "offered", [6001, 6002, 6003, 6003, 6004], raising=False)
    assert module.allocate_port() == 6003
    assert module.allocate_port() == 6004
    assert module._handed_out == {6001, 6003, 6004}


def test_that_there_is_no_free_port_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "socket", SimpleNamespace(socket=FakeSocket))
    monkeypatch.setattr(module, "is_free", lambda port: False)
    monkeypatch.setattr(FakeSocket, "offered", list(range(6000, 6200)), raising=False)
    with pytest.raises(StartFailed, match="No free TCP port"):
        module.allocate_port()


# ---- unix sockets


def test_a_unix_socket_wins_over_a_port() -> None:
    it = endpoint(unix_socket="/run/app.sock", port=8000)
    assert (it.is_unix, it.port, it.path) == (True, 0, "/run/app.sock")
    assert it.candidates == (UnixAddress("/run/app.sock"),)
    assert it.arguments() == {"port": 0, "unix_socket": "/run/app.sock"}


@pytest.mark.behaviour("P7")
def test_a_socket_of_our_own_is_in_a_private_directory_that_goes_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.tempfile, "tempdir", str(tmp_path))
    it = endpoint(unix_socket=True)
    assert list(tmp_path.iterdir()) == [], "nothing is made before it is needed"
    directory = Path(it.path).parent
    assert directory.parent == tmp_path
    assert it.path == it.path
    assert directory.stat().st_mode & 0o777 == 0o700
    it.prepare()
    Path(it.path).write_text("")
    it.release()
    assert list(tmp_path.iterdir()) == []
    assert Path(it.path).parent != directory


def test_a_path_where_nothing_is_can_be_used(tmp_path: Path) -> None:
    endpoint(unix_socket=str(tmp_path / "s")).prepare()


def test_a_dead_socket_is_removed_and_a_live_one_is_not(tmp_path: Path, system: System) -> None:
    path = tmp_path / "s"
    path.write_text("")
    system.sockets.add(str(path))
    system.answered.add(str(path))
    endpoint(unix_socket=str(path)).prepare()
    assert path.exists()
    system.answered.clear()
    endpoint(unix_socket=str(path)).prepare()
    assert not path.exists()


def test_an_empty_file_reserves_a_name_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text("")
    endpoint(unix_socket=str(path)).prepare()
    assert path.exists()


@pytest.mark.parametrize("kind", ["file", "directory", "link"])
def test_anything_else_is_left_alone(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "s"
    if kind == "file":
        path.write_text("precious")
    elif kind == "directory":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "elsewhere")
    it = endpoint(unix_socket=str(path))
    with pytest.raises(StartFailed, match=f"Server 'app' cannot use the unix socket {path}: something else is there"):
        it.prepare()
    it.release()
    assert os.path.lexists(path)


@pytest.mark.behaviour("P7")
def test_what_belongs_to_another_user_is_left_alone(tmp_path: Path, system: System) -> None:
    path = tmp_path / "s"
    path.write_text("")
    system.sockets.add(str(path))
    system.foreign.add(str(path))
    it = endpoint(unix_socket=str(path))
    with pytest.raises(StartFailed, match="it belongs to another user"):
        it.prepare()
    it.release()
    assert path.exists()


def test_a_directory_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match="there is no such directory"):
        endpoint(unix_socket=str(tmp_path / "missing" / "s")).prepare()


def test_a_path_that_cannot_be_looked_at(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartFailed, match="Not a directory"):
        endpoint(unix_socket=str(tmp_path / "file" / "s")).prepare()


def test_a_path_that_is_too_long_is_told_before_the_server_starts(tmp_path: Path) -> None:
    """The temporary directory of a system may be deep."""
    with pytest.raises(StartFailed, match=r"its path is longer than \d+ bytes"):
        endpoint(unix_socket=str(tmp_path / ("x" * 110))).prepare()


def test_a_dead_socket_is_removed_in_the_end(tmp_path: Path, system: System) -> None:
    path = tmp_path / "s"
    path.write_text("")
    it = endpoint(unix_socket=str(path))
    it.release()
    assert path.exists(), "no socket"
    system.sockets.add(str(path))
    system.answered.add(str(path))
    it.release()
    assert path.exists(), "somebody answers"
    system.answered.clear()
    it.release()
    assert not path.exists()
    it.release()
