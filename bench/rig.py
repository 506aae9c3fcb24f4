"""Everything that runs during a benchmark: origin servers and what stands before them. All of it ends with the run."""

from __future__ import annotations

import contextlib
import http.client
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from . import environments

sys.path.insert(0, str(environments.ROOT / "tests" / "integration"))

from harness import Jupyter, free_port, listens, wait_until  # found by the line above

ORIGIN = str(Path(__file__).with_name("origin.py"))

#: Servers that a Jupyter can start, each once.
COLD = 10

NGINX = """
daemon off; master_process off; pid {directory}/nginx.pid; error_log stderr crit;
events {{ worker_connections 256; }}
http {{
    access_log off; client_max_body_size 0; proxy_request_buffering off; proxy_buffering off;
    client_body_temp_path {directory}/b; proxy_temp_path {directory}/p; fastcgi_temp_path {directory}/f;
    uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
    upstream origin {{ server 127.0.0.1:{origin}; keepalive 32; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    }}
}}
"""


@dataclass
class Way:
    """One way to the origin server.

    Args:
        name: for the tables.
        port: of 127.0.0.1.
        prefix: of the paths.
        headers: to send with each request.
        pid: of the process whose memory is looked at; None where nobody looks.
    """

    name: str
    port: int
    prefix: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    pid: int | None = None

    def url(self, path: str) -> str:
        """For tools that take one."""
        return f"http://127.0.0.1:{self.port}{self.prefix}{path}"

    def connect(self) -> http.client.HTTPConnection:
        """A connection."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)


class Rig:
    """Starts what is asked for, once; ``close`` ends it.

    Args:
        old_python: see ``environments.old_python``.
    """

    def __init__(self, old_python: str | None) -> None:
        self.old_python = old_python
        self._stack = contextlib.ExitStack()
        self._directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        self._ways: dict[str, Way | None] = {}
        self.origin = self.start([sys.executable, ORIGIN], "origin")

    def close(self) -> None:
        """End every process."""
        self._stack.close()

    def start(self, command: list[str], name: str, port: int = 0) -> int:
        """Run a command that listens; the port is appended to it unless it is given.

        Returns:
            Its port.
        """
        if not port:
            port = free_port()
            command = [*command, str(port)]
        log = self._stack.enter_context((self._directory / f"{name}.log").open("wb"))
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        wait_until(lambda: listens(port), f"{name} to start")
        return port

    # ---- ways

    def direct(self) -> Way:
        """Without anything between."""
        return Way("direct", self.origin)

    def new(self, login: str = "cookie") -> Way:
        """Through this checkout."""
        return self._proxied("new", sys.executable, login)

    def old(self, login: str = "cookie") -> Way:
        """Through version 4.6."""
        return self._proxied("4.6", environments.old_python(self.old_python), login)

    def nginx(self) -> Way | None:
        """Through nginx, which checks no login."""
        if "nginx" not in self._ways:
            program = environments.program("nginx", "nginx-light")
            if program is not None:
                port = free_port()
                text = NGINX.format(directory=self._directory, port=port, origin=self.origin)
                (self._directory / "nginx.conf").write_text(text)
                self.start([program, "-c", str(self._directory / "nginx.conf")], "nginx", port)
            self._ways["nginx"] = Way("nginx", port) if program else None
        return self._ways["nginx"]

    def chp(self) -> Way | None:
        """Through JupyterHub's proxy, which checks no login."""
        if "chp" not in self._ways:
            program = environments.chp()
            if program is not None:
                port, api = free_port(), free_port()
                self.start([program, "--ip", "127.0.0.1", "--port", str(port), "--api-port", str(api), "--log-level",
                            "error", "--default-target", f"http://127.0.0.1:{self.origin}"], "chp", port)  # fmt: skip
            self._ways["chp"] = Way("configurable-http-proxy", port) if program else None
        return self._ways["chp"]

    def quick(self) -> str:
        """The program of quick.c; "" where there is no compiler."""
        program, compiler = self._directory / "quick", environments.program("cc", "gcc")
        if compiler is None:
            return ""
        if not program.exists():
            subprocess.run([compiler, "-O2", "-o", program, Path(__file__).with_name("quick.c")], check=True)
        return str(program)

    def jupyter(self, name: str, python: str) -> Jupyter:
        """A Jupyter server with servers "slow0" to "slow9", each of which listens 0.1 s after its start.

        And, where there is a compiler, "quick0" to "quick9" that listen at once.
        """
        slow = {"command": [sys.executable, ORIGIN, "{port}", "--delay", "0.1"], "timeout": 30}
        quick = {"command": [self.quick(), "{port}"], "timeout": 30}
        names = {"slow": slow, **({"quick": quick} if self.quick() else {})}
        jupyter = Jupyter(
            self._directory / name,
            f"c.ServerProxy.servers = {{f'{{name}}{{n}}': o for name, o in {names!r}.items() for n in range({COLD})}}",
            python=python,
            log_level="WARN",
        )
        self._stack.callback(jupyter.stop)
        return jupyter.wait_ready()

    def _proxied(self, name: str, python: str, login: str) -> Way:
        if name not in self._ways:
            jupyter = self.jupyter(name, python)
            self._ways[name] = Way(
                name, jupyter.port, f"{jupyter.base_url}proxy/{self.origin}", {}, jupyter.process.pid
            )
            self._ways[f"{name} token"] = Way("", 0, headers={"Authorization": f"token {jupyter.token}"})
            self._ways[f"{name} cookie"] = Way("", 0, headers={"Cookie": jupyter.login_cookie()})
        way, credentials = self._ways[name], self._ways[f"{name} {login}"]
        assert way is not None
        assert credentials is not None
        return Way(f"{name}, {login}", way.port, way.prefix, credentials.headers, way.pid)
