"""Raw sockets behind a websocket: a VNC server on a unix socket, an OpenSSH server on a port."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import Jupyter, wait_until
from websockets.sync.client import connect

#: What a client of ssh runs as its ProxyCommand: standard input and output over the websocket.
BRIDGE = Path(__file__).parent / "bridge.py"
SIZE = 100_000_000

XSTARTUP = "#!/bin/sh\nexec sleep 600\n"


# ---- jupyter-remote-desktop-proxy


@pytest.fixture(scope="module")
def desktop(start_jupyter: Callable[..., Jupyter], tmp_path_factory: pytest.TempPathFactory) -> Jupyter:
    xstartup = tmp_path_factory.mktemp("desktop") / "xstartup"
    xstartup.write_text(XSTARTUP)
    xstartup.chmod(0o755)
    return start_jupyter(environment={"JUPYTER_REMOTE_DESKTOP_PROXY_XSTARTUP": str(xstartup)}, base_url="/base/")


@pytest.mark.package("jupyter-remote-desktop-proxy")
def test_the_page_of_a_desktop(desktop: Jupyter) -> None:
    """/desktop/ with its static files; /desktop redirected by AddSlashHandler"""
    redirect = desktop.get("desktop?x=1")
    assert (redirect.status in (301, 302), redirect.get("Location")) == (True, "/base/desktop/?x=1")
    page = desktop.get("desktop/")
    assert (page.status, "desktop" in page.text.lower()) == (200, True)
    listed = {one["name"]: one for one in desktop.get("server-proxy/servers-info").json()["server_processes"]}
    assert listed["desktop-websockify"]["launcher_entry"]["path_info"] == "desktop"


@pytest.mark.package("jupyter-remote-desktop-proxy", "TigerVNC")
def test_the_handshake_of_a_desktop(desktop: Jupyter) -> None:
    """RFB 003.008 handshake with Xtigervnc over the websocket, up to the size of the screen"""
    url = desktop.websocket_url("desktop-websockify/")
    with connect(url, proxy=None, subprotocols=["binary"], open_timeout=90) as channel:  # type: ignore[list-item]
        received = b""

        def read(count: int) -> bytes:
            nonlocal received
            while len(received) < count:
                part = channel.recv(timeout=60)
                assert isinstance(part, bytes)
                received += part
            taken, received = received[:count], received[count:]
            return taken

        assert read(12) == b"RFB 003.008\n"
        channel.send(b"RFB 003.008\n")
        count = read(1)[0]
        assert 1 in read(count)  # the security type "None"
        channel.send(b"\x01")
        assert read(4) == bytes(4)
        channel.send(b"\x01")  # shared
        assert read(4) == (1680).to_bytes(2, "big") + (1050).to_bytes(2, "big")


# ---- jupyter-sshd-proxy


@pytest.fixture(scope="module")
def sshd(start_jupyter: Callable[..., Jupyter]) -> tuple[Jupyter, list[str]]:
    """Jupyter, and the options with which ssh reaches the server behind it."""
    keys = Path(sys.prefix).parent / "keys"  # sshd takes no keys from below /tmp, where anybody may write
    shutil.rmtree(keys, ignore_errors=True)
    keys.mkdir(mode=0o700)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(keys / "key")], check=True)
    shutil.copy(keys / "key.pub", keys / "authorized_keys")
    os.makedirs("/run/sshd", exist_ok=True)  # where sshd of Debian changes its root to
    jupyter = start_jupyter(environment={
        "JUPYTER_SSHD_PROXY_AUTHORIZED_KEYS_PATH": str(keys / "authorized_keys"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin",
    })  # fmt: skip
    bridge = f"{sys.executable} {BRIDGE} {jupyter.websocket_url('sshd/')}"
    options = ["-F", "none", "-i", str(keys / "key"), "-o", f"ProxyCommand={bridge}", "-o", "BatchMode=yes",
               "-o", "StrictHostKeyChecking=accept-new", "-o", f"UserKnownHostsFile={keys / 'known'}"]  # fmt: skip
    return jupyter, options


@pytest.mark.package("jupyter-sshd-proxy", "OpenSSH")
def test_a_command_by_ssh(sshd: tuple[Jupyter, list[str]]) -> None:
    """ssh runs a command, its input and output passed"""
    done = subprocess.run(["ssh", *sshd[1], "jupyter", "tr a-z A-Z; exit 7"], input=b"hello", capture_output=True)
    assert (done.returncode, done.stdout) == (7, b"HELLO"), done.stderr.decode()


@pytest.mark.package("jupyter-sshd-proxy", "OpenSSH")
def test_files_of_100_mb_by_scp(sshd: tuple[Jupyter, list[str]], tmp_path: Path) -> None:
    """scp of 100 MB up, and down again, hashes compared"""
    options = sshd[1]
    here, there, back = (tmp_path / name for name in ("here", "there", "back"))
    here.write_bytes(os.urandom(SIZE))
    wanted = hashlib.sha256(here.read_bytes()).digest()
    for source, target, result in ((str(here), f"jupyter:{there}", there), (f"jupyter:{there}", str(back), back)):
        done = subprocess.run(["scp", "-q", *options, source, target], capture_output=True, timeout=100)
        assert done.returncode == 0, done.stderr.decode()
        assert hashlib.sha256(result.read_bytes()).digest() == wanted


@pytest.mark.package("jupyter-sshd-proxy", "OpenSSH")
def test_ten_ssh_sessions_at_once(sshd: tuple[Jupyter, list[str]]) -> None:
    """Ten ssh sessions at once, 1 MB from each"""
    command = ["ssh", *sshd[1], "jupyter", "head -c 1000000 /dev/zero"]
    sessions = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(10)]
    for session in sessions:
        out, errors = session.communicate(timeout=100)
        assert (session.returncode, len(out)) == (0, 1_000_000), errors.decode()


@pytest.mark.package("jupyter-sshd-proxy")
def test_nobody_gets_to_the_ssh_server_without_login(sshd: tuple[Jupyter, list[str]]) -> None:
    """Refused without Jupyter's login, whatever keys there are"""
    jupyter, options = sshd
    url = jupyter.websocket_url("sshd/", login=False)
    bridge = f"ProxyCommand={sys.executable} {BRIDGE} {url}"
    done = subprocess.run(["ssh", "-o", bridge, *options, "jupyter", "true"], capture_output=True, timeout=60)
    assert done.returncode == 255
    assert wait_until(lambda: b"403" in done.stderr, "the refusal"), done.stderr
