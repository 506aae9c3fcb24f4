"""The recipe for Slurm of docs/hub.md: `jupyter standaloneproxy` as a job, by batchspawner's SlurmSpawner."""

from __future__ import annotations

import asyncio
import getpass
import re
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import websockets
from cluster import Cluster
from hub import Browser, Hub, wait_until

DOCUMENT = Path(__file__).parents[2] / "docs" / "hub.md"

#: Jobs run as whoever runs the tests, and the Hub's user has to be called like that.
USER = getpass.getuser()

#: What is of this machine: where the cluster and the Hub are, and which application it is.
OURS = """
c.Authenticator.allowed_users = {{{user!r}}}
c.SlurmSpawner.exec_prefix = "env SLURM_CONF={config}"
c.SlurmSpawner.req_partition = "all"
c.SlurmSpawner.req_memory = "200"
c.JupyterHub.hub_ip = "127.0.0.1"
c.JupyterHub.hub_connect_ip = "127.0.0.1"
import batchspawner, traitlets
class OneNode(batchspawner.SlurmSpawner):
    ip = traitlets.Unicode("127.0.0.1", config=True)
    @traitlets.default("req_homedir")
    def _home_of_tests(self):
        return "{home}"
    def state_gethost(self):
        return "127.0.0.1"
c.JupyterHub.spawner_class = OneNode
c.Spawner.http_timeout = 20
apps = {{
    "echo": [word.replace(" ", "") for word in ECHO],
    "broken": [sys.executable, "-c", "raise(SystemExit('licence-has-expired'))"],
}}
async def choose(spawner):
    command = c.Spawner.cmd[:1]
    options = ["--timeout=30"]
    spawner.cmd = [*command, *options, "--", *map(quoted, apps[spawner.user_options.get("app", "echo")])]
def quoted(word):
    import shlex
    return shlex.quote(word)
c.Spawner.pre_spawn_hook = choose
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("home")
    return path


@pytest.fixture(scope="module")
def hub(cluster: Cluster, home: Path, start_hub: Callable[..., Hub]) -> Hub:
    text = DOCUMENT.read_text(encoding="utf-8").partition("## Slurm")[2]
    [recipe] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[:1]
    hub: Hub = start_hub(recipe + OURS.format(user=USER, config=cluster.config, home=home))
    return hub


def output_of_jobs(home: Path) -> str:
    """What the jobs have written."""
    return "\n".join(path.read_text(errors="replace") for path in home.glob("*.log"))


def test_an_application_is_a_job(cluster: Cluster, hub: Hub, home: Path) -> None:
    hub.spawn(USER)
    assert cluster.jobs() == ["RUNNING"]
    browser = Browser(hub, USER)
    answer = browser.open(f"user/{USER}/a/b?x=1")
    assert (answer.status_code, answer.json()["target"]) == (200, "/a/b?x=1")
    pid = answer.json()["pid"]
    arguments = browser.open(f"user/{USER}/environ").json()
    assert "SLURM_JOB_ID" in arguments["environ"]
    assert "JUPYTERHUB_API_TOKEN" not in arguments["environ"]

    async def talk() -> str:
        headers = {"Cookie": browser.cookies(f"user/{USER}/"), "Origin": f"http://{hub.host}"}
        url = f"ws://{hub.host}/user/{USER}/ws"
        async with websockets.connect(url, additional_headers=headers, proxy=None) as connection:
            await connection.send("hello")
            return str(await asyncio.wait_for(connection.recv(), 30))

    assert asyncio.run(talk()) == "hello"
    above = [one for one in psutil.Process(pid).parents() if "standaloneproxy" in " ".join(one.cmdline())]
    assert above
    hub.stop_server(USER)
    wait_until(lambda: cluster.jobs() == [], "the job is over")
    wait_until(lambda: not any(one.is_running() for one in above), "nothing of it is left")
    assert not psutil.pid_exists(pid)
    assert "Ending: SIGTERM" in output_of_jobs(home)


def test_an_application_that_fails_is_a_failed_spawn(cluster: Cluster, hub: Hub, home: Path) -> None:
    hub.api("POST", f"users/{USER}/server", json={"app": "broken"})
    wait_until(lambda: not hub.user(USER)["servers"] and cluster.jobs() == [], "the spawn has failed", 90)
    told = output_of_jobs(home)
    assert "The application could not be started" in told
    assert "licence-has-expired" in told
