"""Everything that runs during a benchmark: origin servers and what stands before them. All of it ends with the run."""

from __future__ import annotations

import contextlib
import resource
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from . import environments
from .native import Load, compiled
from .way import Way

sys.path.insert(0, str(environments.ROOT / "tests" / "integration"))

from harness import Jupyter, free_port, listens, wait_until  # found by the line above

__all__ = ["COLD", "Jupyter", "Rig", "free_port", "wait_until"]

#: Servers of each kind that a Jupyter can start, each once.
COLD = 10

NGINX = """
daemon off; master_process off; pid {directory}/nginx.pid; error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
    access_log off; client_max_body_size 0; proxy_request_buffering off; proxy_read_timeout 1h;
    client_body_temp_path {directory}/b; proxy_temp_path {directory}/p; fastcgi_temp_path {directory}/f;
    uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
    map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
    upstream origin {{ server 127.0.0.1:{origin}; keepalive 64; }}
    proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
    server {{ listen 127.0.0.1:{ports[off]}; location / {{ proxy_pass http://origin; proxy_buffering off; }} }}
    server {{ listen 127.0.0.1:{ports[on]}; location / {{ proxy_pass http://origin; proxy_buffering on; }} }}
}}
"""


class Rig:
    """Starts what is asked for, once; ``close`` ends it.

    Args:
        new_python: see ``environments.new_python``.
        old_python: see ``environments.old_python``.
    """

    def __init__(self, new_python: str | None = None, old_python: str | None = None) -> None:
        self.new_python = environments.new_python(new_python)
        self.old_python = environments.old_python(old_python)
        self._stack = contextlib.ExitStack()
        self.directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        self._ways: dict[str, Way | None] = {}
        compiler = environments.needed("gcc", "gcc libc6-dev")
        self.origin_program = compiled("origin", compiler, self.directory)
        self.load = Load(compiled("load", compiler, self.directory), environments.needed("wrk", "wrk"))
        self.origin, self.neighbour = free_port(), free_port()
        self.start([self.origin_program, str(self.neighbour), str(self.origin)], "origin", self.origin)

    def close(self) -> None:
        """End every process."""
        self._stack.close()

    def start(self, command: list[str], name: str, port: int) -> int:
        """Run a command until the end.

        Args:
            port: on which it will listen.

        Returns:
            Its process id.
        """
        log = self._stack.enter_context((self.directory / f"{name}.log").open("wb"))
        # In a session of its own, as Jupyter is: Linux shares the processors out among sessions first (sched(7),
        # autogroup), and on a busy machine what shares one with the load or with a browser would get less or more.
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self._stack.callback(end, process)
        wait_until(lambda: process.poll() is not None or listens(port), f"{name} to start")
        if process.poll() is not None:
            raise RuntimeError(f"{name} ended: {(self.directory / f'{name}.log').read_text()}")
        return process.pid

    # ---- ways

    def direct(self) -> Way:
        """Without anything between."""
        return Way("direct", self.origin)

    def new(self, login: str = "cookie") -> Way:
        """Through this checkout in Jupyter Server."""
        return self._proxied("new", self.new_python, login)

    def old(self, login: str = "cookie") -> Way:
        """Through version 4.6."""
        return self._proxied("4.6", self.old_python, login)

    def nginx(self, buffering: str = "off") -> Way | None:
        """Through nginx, which checks no login, with proxy_buffering off or on."""
        name = f"nginx, buffering {buffering}"
        if name not in self._ways:
            program = environments.program("nginx", "nginx-light")
            ports = {"off": free_port(), "on": free_port()}
            pid = None
            if program is not None:
                text = NGINX.format(directory=self.directory, ports=ports, origin=self.origin)
                (self.directory / "nginx.conf").write_text(text)
                pid = self.start([program, "-c", str(self.directory / "nginx.conf")], "nginx", ports["on"])
            for kind, port in ports.items():
                made = Way(f"nginx, buffering {kind}", port, pid=pid) if program else None
                self._ways[f"nginx, buffering {kind}"] = made
        return self._ways[name]

    def chp(self) -> Way | None:
        """Through JupyterHub's proxy, which checks no login."""
        if "chp" not in self._ways:
            program, port, api = environments.chp(), free_port(), free_port()
            if program is not None:
                pid = self.start([program, "--ip", "127.0.0.1", "--port", str(port), "--api-port", str(api),
                                  "--log-level", "error", "--default-target", f"http://127.0.0.1:{self.origin}"],
                                 "chp", port)  # fmt: skip
            self._ways["chp"] = Way("configurable-http-proxy", port, pid=pid) if program else None
        return self._ways["chp"]

    def standalone(self) -> Way:
        """Through this checkout's ``jupyter standaloneproxy``, which is told to check no login: so like the peers."""
        if "standalone" not in self._ways:
            port = free_port()
            program = str(Path(self.new_python).with_name("jupyter-standaloneproxy"))
            pid = self.start([program, f"--port={port}", f"--server-port={self.origin}", "--no-authentication"],
                             "standalone", port)  # fmt: skip
            self._ways["standalone"] = Way("new, standalone", port, pid=pid)
        way = self._ways["standalone"]
        assert way is not None
        return way

    def peers(self) -> list[Way | None]:
        """Those that check no login."""
        return [self.direct(), self.nginx("off"), self.nginx("on"), self.chp(), self.standalone()]

    # ---- Jupyter

    def jupyter(self, name: str, python: str, config: str = "") -> Jupyter:
        """A Jupyter server; one that is started for a while has to be stopped by who asked for it.

        It has servers "slow0" to "slow9", each of which listens 0.1 s after its start; "quick0" to "quick9", which
        listen at once; and "raw", a raw socket.
        """
        quick = {"command": [self.origin_program, "{port}"], "timeout": 30}
        slow = {"command": [self.origin_program, "{port}", "--delay", "0.1"], "timeout": 30}
        servers = {f"{kind}{n}": one for kind, one in (("slow", slow), ("quick", quick)) for n in range(COLD)}
        raw = {"command": [self.origin_program, "{port}", "--raw"], "timeout": 30, "raw_socket_proxy": True}
        directory = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.directory))
        jupyter = Jupyter(
            directory,
            f"c.ServerProxy.servers = { ({**servers, 'raw': raw})!r}\n{config}",
            python=python,
            log_level="ERROR",
        )
        self._stack.callback(jupyter.stop)
        return jupyter.wait_ready()

    def way_of(self, jupyter: Jupyter, name: str, login: str = "cookie") -> Way:
        """Through a Jupyter server, logged in by cookie, as browsers are, or by token, as programs are."""
        if login == "token":
            headers = {"Authorization": f"token {jupyter.token}"}
        else:
            headers = {"Cookie": jupyter.login_cookie()}
        prefix = f"{jupyter.base_url}proxy/{self.origin}"
        return Way(f"{name}, {login}", jupyter.port, prefix, headers, jupyter.process.pid)

    def _proxied(self, name: str, python: str, login: str) -> Way:
        if name not in self._ways:
            jupyter = self.jupyter(name, python)
            for kind in ("cookie", "token"):
                self._ways[f"{name}, {kind}"] = self.way_of(jupyter, name, kind)
            self._ways[name] = None
        way = self._ways[f"{name}, {login}"]
        assert way is not None
        return way


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process as its user would; by force if it does not."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def allow_many_files() -> None:
    """A thousand websockets are two thousand descriptors of a proxy, which inherits the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 20_000 if hard == resource.RLIM_INFINITY else min(20_000, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
