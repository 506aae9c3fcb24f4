"""``jupyter server-proxy doctor``: configuration files and entry points on disk, read by the real command."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from harness import ECHO, Jupyter, free_port

SECRET = "s3cret-s3cret"


@dataclass
class Report:
    """What doctor said."""

    code: int
    out: str
    err: str

    @property
    def content(self) -> dict[str, Any]:
        return json.loads(self.out)

    def of(self, server: str | None, severity: str | None = None) -> list[str]:
        """What was found about a server, or about the configuration as a whole."""
        return [
            finding["what"]
            for finding in self.content["findings"]
            if finding["server"] == server and severity in (None, finding["severity"])
        ]

    def says(self, server: str | None, severity: str, *parts: str) -> bool:
        return any(all(part in what for part in parts) for what in self.of(server, severity))


class Home:
    """The home directory of somebody who has Jupyter.

    Args:
        path: that is empty so far.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.configs = path / "config"
        self.configs.mkdir(parents=True)
        self.environment = {
            **os.environ,
            "HOME": str(path),
            "JUPYTER_CONFIG_DIR": str(self.configs),
            "JUPYTER_DATA_DIR": str(path / "data"),
            "JUPYTER_RUNTIME_DIR": str(path / "runtime"),
            "JUPYTER_PREFER_ENV_PATH": "0",
            "JUPYTER_TOKEN": SECRET,
        }

    def write(self, config: str, name: str = "jupyter_server_config.py") -> Path:
        file = self.configs / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"import sys\nECHO = {ECHO!r}\nc = get_config()\n{config}" if name.endswith(".py") else config)
        return file

    def servers(self, **servers: dict[str, Any]) -> None:
        self.write(f"c.ServerProxy.servers = {servers!r}\n")

    def doctor(self, *arguments: str, as_json: bool = True) -> Report:
        command = [sys.executable, "-m", "jupyter_server_proxy.cli", "doctor", *(["--json"] if as_json else [])]
        done = subprocess.run(
            [*command, *arguments], env=self.environment, cwd=self.path, capture_output=True, text=True, timeout=60
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert SECRET not in done.stdout + done.stderr
        return Report(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def package(home: Home, name: str, source: str, *entry_points: str) -> None:
    """Install a package that announces servers."""
    site = home.path / "site"
    info = site / f"{name.replace('-', '_')}-1.2.dist-info"
    info.mkdir(parents=True)
    (site / f"{name.replace('-', '_')}.py").write_text(f"ECHO = {ECHO!r}\n{source}")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[jupyter_serverproxy_servers]\n" + "\n".join(entry_points) + "\n")
    home.environment["PYTHONPATH"] = os.pathsep.join([str(site), home.environment.get("PYTHONPATH", "")])


# ---- a sound configuration


def test_a_sound_configuration(home: Home) -> None:
    file = home.write(
        'c.ServerProxy.servers = {"echo": {"command": ECHO}, "sock": {"command": ECHO, "unix_socket": True}}'
    )
    report = home.doctor()
    assert report.code == 0
    assert report.content["errors"] == 0
    assert report.content["files"] == [str(file)]
    assert report.of("echo", "ok") == [f"would run: {' '.join(ECHO[:-2])} --port={{port}} --unix-socket="]
    assert "--unix-socket={unix_socket}" in report.of("sock", "ok")[0]
    assert report.says(None, "ok", "extension is enabled")


def test_text_for_people(home: Home) -> None:
    home.servers(echo={"command": [*ECHO, "--password", SECRET]}, gone={"command": ["no-such-program", "{port}"]})
    report = home.doctor(as_json=False)
    assert report.code == 1
    lines = report.out.splitlines()
    assert lines[1] == "  ~/config/jupyter_server_config.py"
    assert any(line.startswith("ok       echo: would run: ") and line.endswith(" --password '***'") for line in lines)
    assert "error    gone: There is no program 'no-such-program' in PATH." in lines
    assert "         Install it, or write its full path into the command." in lines
    assert lines[-1] == "1 error, 0 warnings, 2 ok"
    assert "\x1b" not in report.out


def test_without_any_configuration(home: Home) -> None:
    report = home.doctor(as_json=False)
    assert report.code == 0
    assert str(Path("~") / "config") in report.out


# ---- files


def test_the_file_that_is_named(home: Home) -> None:
    home.servers(usual={"command": ECHO})
    other = home.write('c.ServerProxy.servers = {"named": {"command": ECHO}}\n', "other.py")
    report = home.doctor("--config", str(other))
    assert report.of("named", "ok")
    assert not report.of("usual")
    assert home.doctor("--config", str(home.path / "missing.py")).code == 2


def test_a_file_that_fails(home: Home) -> None:
    home.write("\nraise RuntimeError('--token=" + SECRET + "')\n")
    report = home.doctor()
    assert report.code == 1
    assert report.says(None, "error", "jupyter_server_config.py", "RuntimeError: --token=***", "(line 5)")


def test_a_file_that_exits(home: Home) -> None:
    home.write("sys.exit(3)\n")
    report = home.doctor()
    assert report.code == 1
    assert report.says(None, "error", "ends Jupyter")


def test_a_file_that_prints(home: Home) -> None:
    home.write('print("hello")\nc.ServerProxy.servers = {"echo": {"command": lambda port: print("hello") or ECHO}}\n')
    report = home.doctor()
    assert report.of("echo", "ok")
    assert report.err == "hello\nhello\n"


def test_json_in_the_directory_of_extensions_is_not_read_by_jupyter(home: Home, start_jupyter: Callable[..., Jupyter]):
    """What is said about the places of the configuration is true of a real Jupyter, too."""
    in_json = json.dumps({"ServerProxy": {"servers": {"in-json": {"port": 1}}}})
    own = 'c.ServerProxy.start_timeout = 7\nc.ServerProxy.servers = {"own-file": {"port": 2}}\n'
    home.write(in_json, "jupyter_server_config.d/mine.json")
    home.write(own, "jupyter_jupyter_server_proxy_config.py")
    report = home.doctor()
    assert report.says(None, "error", "mine.json", "does not read in this directory")
    assert report.of("own-file")
    assert not report.of("in-json")
    jupyter = start_jupyter(environment={"JUPYTER_CONFIG_DIR": str(home.configs)})
    servers = [server["name"] for server in jupyter.get("server-proxy/api/servers").json()["servers"]]
    assert servers == ["own-file"]


@pytest.mark.parametrize("place", ["jupyter_server_config.py", "jupyter_server_config.d/off.json"])
def test_the_extension_is_off(home: Home, place: str) -> None:
    off = {"ServerApp": {"jpserver_extensions": {"jupyter_server_proxy": False}}}
    home.write(
        json.dumps(off)
        if place.endswith(".json")
        else 'c.ServerApp.jpserver_extensions = {"jupyter_server_proxy": False}',
        place,
    )
    report = home.doctor()
    assert report.code == 1
    assert report.says(None, "error", "switched off")


def test_extensions_that_are_no_dictionary(home: Home) -> None:
    home.write('c.ServerApp.jpserver_extensions = ["jupyter_server_proxy"]\n')
    report = home.doctor()
    assert report.code == 1
    assert report.says(None, "error", "jpserver_extensions cannot be read")


# ---- traits and options


def test_names_that_are_misspelt(home: Home) -> None:
    home.write(
        "c.ServerProxy.start_timeuot = 5\nc.ServerProxies.servers = {}\n"
        'c.ServerProxy.servers = {"echo": {"command": ECHO, "timeuot": 3, "launcher_entry": {"titel": "x"}}}\n'
    )
    report = home.doctor()
    assert report.code == 0
    assert report.says(None, "warning", "c.ServerProxy.start_timeuot", "Did you mean 'start_timeout'?")
    assert report.says(None, "warning", "c.ServerProxies", "Did you mean c.ServerProxy?")
    assert report.says("echo", "warning", "unknown key 'timeuot'", "did you mean 'timeout'?")
    assert report.says("echo", "warning", "unknown key 'titel'", "did you mean 'title'?")
    assert len(report.of("echo", "warning")) == 2


def test_wrong_values_are_all_told(home: Home) -> None:
    home.environment["JUPYTER_SERVER_PROXY_START_TIMEOUT"] = "soon"
    home.write(
        'c.ServerProxy.queue_timeout = "long"\nc.ServerProxy.host_whitelist = ["a"]\n'
        'c.ServerProxy.port_allowlist = ["x-y"]\n'
        'c.ServerProxy.servers = {"bad": {"command": "a string"}, "good": {"command": ECHO}}\n'
    )
    report = home.doctor()
    assert report.code == 1
    assert report.says(None, "error", "queue_timeout")
    assert report.says(None, "error", "port_allowlist")
    assert report.says(None, "error", "JUPYTER_SERVER_PROXY_START_TIMEOUT")
    assert report.says(None, "warning", "host_whitelist is deprecated")
    assert report.says("bad", "error", "must be a list of words")
    assert "skipped" not in report.out.partition('"remedy"')[0]
    assert report.of("good", "ok")


def test_servers_that_are_added_by_several_files(home: Home) -> None:
    home.write('c.ServerProxy.servers.update({"first": {"command": ECHO}})\n', "jupyter_config.py")
    home.write('c.ServerProxy.servers.update({"second": {"command": ECHO}})\n')
    report = home.doctor()
    assert report.of("first", "ok")
    assert report.of("second", "ok")


# ---- entry points


def test_packages(home: Home) -> None:
    package(
        home,
        "proxy-broken",
        "import no_such_module\n",
        "broken = proxy_broken:server",
    )
    package(
        home,
        "proxy-mixed",
        "def good(): print('hello'); return {'command': ECHO}\ndef bad(): raise RuntimeError('out of order')\n",
        "good = proxy_mixed:good",
        "twice = proxy_mixed:good",
        "bad = proxy_mixed:bad",
    )
    home.servers(twice={"command": ECHO})
    report = home.doctor()
    assert report.code == 1
    assert report.says("broken", "error", "cannot be imported", "no_such_module", "proxy-broken 1.2")
    assert report.says("bad", "error", "out of order", "proxy-mixed 1.2")
    assert report.of("good", "ok")
    assert report.says("twice", "warning", "defined more than once")


# ---- commands


def test_programs(home: Home) -> None:
    tool = home.path / "tool"
    tool.write_text("#!/no/such/interpreter\n")
    moved = home.path / "moved"
    moved.write_text("#!/no/such/interpreter\n")
    moved.chmod(0o755)
    (home.path / "sub").mkdir()
    (home.path / "sub" / "here").symlink_to("/bin/true")
    home.servers(
        unexecutable={"command": [str(tool), "{port}"]},
        moved={"command": [str(moved), "{port}"]},
        folder={"command": [str(home.path), "{port}"]},
        relative={"command": ["./here", "{port}"], "cwd": str(home.path / "sub")},
        elsewhere={"command": ["./here", "{port}"]},
        nowhere={"command": [*ECHO], "cwd": "/no/such/directory"},
        module={"command": [sys.executable, "-m", "no_such_module", "{port}"]},
        known={"command": [sys.executable, "-m", "http.server", "{port}"]},
        own_path={"command": ["here", "{port}"], "environment": {"PATH": str(home.path / "sub")}},
    )
    report = home.doctor()
    assert report.code == 1
    assert report.says("unexecutable", "error", "is not executable")
    assert report.says("moved", "error", "/no/such/interpreter")
    assert report.says("folder", "error", "is a directory")
    assert report.of("relative", "ok")
    assert report.says("elsewhere", "error", "no program './here' in")
    assert report.says("nowhere", "error", "no directory '/no/such/directory'")
    assert report.says("module", "error", "no module 'no_such_module'")
    assert report.of("known", "ok")
    assert report.of("own_path", "ok")


def test_commands_that_are_not_told_where_to_listen(home: Home) -> None:
    home.servers(
        deaf={"command": ["true"]},
        deaf_socket={"command": ["true", "{port}"], "unix_socket": True},
        by_variable={"command": ["true"], "environment": {"PORT": "{port}"}},
        finds={"command": ["true"], "find_port": True},
        fixed={"command": ["true"], "port": free_port()},
    )
    report = home.doctor()
    assert report.says("deaf", "warning", "{port}")
    assert report.says("deaf_socket", "warning", "{unix_socket}")
    assert [report.of(name, "ok") != [] for name in ("by_variable", "finds", "fixed")] == [True] * 3


def test_callables_are_asked(home: Home) -> None:
    home.write(
        "def fails(port): raise RuntimeError('no licence')\n"
        "def unknown(licence): return ECHO\n"
        "def exits(): sys.exit(1)\n"
        "def none(port): return [None, str(port)]\n"
        "c.ServerProxy.servers = {\n"
        "  'fails': {'command': fails}, 'unknown': {'command': unknown}, 'exits': {'command': exits},\n"
        "  'none': {'command': none}, 'variables': {'command': ECHO, 'environment': fails},\n"
        "  'template': {'command': ['true', '{prot}']}, 'good': {'command': lambda port: ['true', str(port)]},\n"
        "  'empty': {'command': lambda: []},\n"
        "}\n"
    )
    report = home.doctor()
    assert report.code == 1
    assert report.says("fails", "error", "no licence")
    assert report.says("unknown", "error", "asks for licence")
    assert report.says("exits", "error", "ends the program")
    assert report.says("none", "error", "is None")
    assert report.says("variables", "error", "environment", "no licence")
    assert report.says("template", "error", "{prot}")
    assert report.says("empty", "error", "no port to connect to")
    assert report.of("good", "ok") == ["would run: true {port}"]


# ---- addresses


def test_ports(home: Home) -> None:
    shared, own, nobody = free_port(), free_port(), free_port()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        home.write(
            f"c.ServerApp.port = {own}\n"
            "c.ServerProxy.servers = {\n"
            f"  'taken': {{'command': ECHO, 'port': {port}}}, 'there': {{'port': {port}}},\n"
            f"  'one': {{'command': ECHO, 'port': {shared}}}, 'two': {{'command': ECHO, 'port': {shared}}},\n"
            f"  'own': {{'command': ECHO, 'port': {own}}}, 'nobody': {{'port': {nobody}}},\n"
            "}\n"
        )
        report = home.doctor()
    assert report.code == 1
    assert report.says("taken", "error", f"Port {port} is taken by process {os.getpid()} (")
    assert report.of("there", "ok")
    assert report.says("one", "error", f"port {shared}", "two")
    assert report.says("two", "error", f"port {shared}", "one")
    assert report.says("own", "error", "Jupyter itself")
    assert report.says("nobody", "warning", f"Nothing listens on port {nobody}")


def test_unix_sockets(home: Home, tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir()
    (private / "file").write_text("x")
    public = tmp_path / "public"
    public.mkdir()
    public.chmod(0o777)
    paths = {
        "good": private / "good",
        "folder": tmp_path / "none" / "s",
        "file": private / "file",
        "public": public / "s",
    }
    home.servers(**{name: {"command": ECHO, "unix_socket": str(path)} for name, path in paths.items()})
    report = home.doctor()
    assert report.code == 1
    assert report.of("good", "ok")
    assert report.says("folder", "error", "No such file or directory")
    assert report.says("file", "error", "is not a socket")
    assert report.says("public", "warning", "other users")

    home.servers(sock={"command": ECHO, "unix_socket": True})
    long = tmp_path / ("x" * 80)
    long.mkdir()
    home.environment["TMPDIR"] = str(long)
    assert home.doctor().says("sock", "error", "107 bytes" if sys.platform == "linux" else "bytes")


# ---- the rest


def test_names_times_and_icons(home: Home) -> None:
    png = home.path / "icon.png"
    png.write_text("")
    home.servers(
        lab={"command": ECHO},
        short={"command": ECHO, "timeout": 0.1},
        milliseconds={"command": ECHO, "timeout": 30000, "idle_timeout": 5, "stop_timeout": 5000},
        iconless={"command": ECHO, "launcher_entry": {"icon_path": "/no/such/icon.svg"}},
        png={"command": ECHO, "launcher_entry": {"icon_path": str(png)}},
        log={"command": ECHO, "log_file": "/no/such/directory/log"},
    )
    report = home.doctor()
    assert report.code == 1
    assert report.says("lab", "error", "takes the place of /lab/")
    assert report.says("short", "warning", "0.1 s")
    assert len(report.of("milliseconds", "warning")) == 3
    assert report.says("iconless", "warning", "/no/such/icon.svg")
    assert report.says("png", "warning", "not an SVG")
    assert report.says("log", "warning", "/no/such/directory")


def test_a_port_that_the_server_itself_holds_is_not_taken(home: Home, start_jupyter: Callable[..., Jupyter]) -> None:
    port = free_port()
    jupyter = start_jupyter(f"c.ServerProxy.servers = {{'echo': {{'command': ECHO, 'port': {port}}}}}\n")
    assert jupyter.get("echo/").status == 200
    home.environment["JUPYTER_RUNTIME_DIR"] = str(jupyter.directory / "runtime")
    report = home.doctor("--config", str(jupyter.directory / "config" / "jupyter_server_config.py"))
    assert report.of("echo", "error") == []
    assert report.code == 0
