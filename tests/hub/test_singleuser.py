"""The extension inside `jupyterhub-singleuser`: the same guarantees, with JupyterHub's login."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from typing import Any

import jupyterhub
import pytest
import requests
import websockets
from hub import Browser, Hub, all_gone, fields_of, processes_below, wait_until

CONFIG = """
from pathlib import Path
configs = Path(os.environ["JUPYTER_CONFIG_DIR"]).with_name("singleuser")
configs.mkdir(exist_ok=True)
slow = [sys.executable, "-c", "import time, sys, runpy; time.sleep(3); sys.argv = sys.argv[1:]; "
        "runpy.run_path(sys.argv[0], run_name='__main__')", *ECHO[1:]]
(configs / "jupyter_server_config.py").write_text(f'''
c.ServerProxy.servers = {{
    "echo": {{"command": {ECHO!r}, "timeout": 60, "identity_headers": True,
              "environment": {{"APP_USER": "{{user}}", "APP_SERVER": "{{server_name}}"}}}},
    "slow": {{"command": {slow!r}, "timeout": 60}},
}}
c.ServerApp.jpserver_extensions = {{"jupyter_server_proxy": True}}
''')
c.Spawner.cmd = ["jupyterhub-singleuser", *ROOT]
c.Spawner.environment = {"JUPYTER_CONFIG_DIR": str(configs), "JUPYTERHUB_ACTIVITY_INTERVAL": "1",
                         "JUPYTERHUB_SINGLEUSER_APP": "jupyter_server.serverapp.ServerApp"}
c.JupyterHub.last_activity_interval = 100000  # the proxy in front, which counts every byte, is not asked
"""


@pytest.fixture(scope="module")
def hub(start_hub: Callable[..., Hub]) -> Hub:
    hub: Hub = start_hub(CONFIG, base_url="/jhub/")
    hub.spawn("ann")
    return hub


@pytest.fixture(scope="module")
def ann(hub: Hub) -> Browser:
    return Browser(hub, "ann")


@pytest.fixture(scope="module")
def ben(hub: Hub) -> Browser:
    return Browser(hub, "ben")


def with_token(hub: Hub, user: str) -> dict[str, str]:
    return {"Authorization": f"token {hub.token(user)}"}


async def talk(hub: Hub, path: str, headers: dict[str, str]) -> str:
    async with websockets.connect(
        f"ws://{hub.host}{hub.base_url}{path}", additional_headers=headers, proxy=None, open_timeout=30
    ) as connection:
        await connection.send("hello")
        return str(await asyncio.wait_for(connection.recv(), 30))


def test_people_come_through_the_login_to_the_page_they_asked_for(hub: Hub, ann: Browser) -> None:
    answer = ann.open("user/ann/echo/a/b?x=1&y=%20")
    assert (answer.status_code, answer.json()["target"]) == (200, "/a/b?x=1&y=%20")
    fields = fields_of(answer)
    assert fields["x-forwarded-prefix"] == "/jhub/user/ann/echo"
    assert (fields["x-jupyter-user"], "access:servers" in fields["x-jupyter-scopes"]) == ("ann", True)


def test_links_to_everybodys_own_server(hub: Hub) -> None:
    answer = Browser(hub, "ann").open("hub/user-redirect/echo/page?x=1")
    assert answer.status_code == 200
    assert answer.json()["target"].startswith("/page?x=1")  # JupyterHub 4 adds to the query


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PROPFIND"])
def test_the_owner_passes_and_nobody_else(hub: Hub, ann: Browser, ben: Browser, method: str) -> None:
    ann.open("user/ann/echo/")
    assert ann.fetch("user/ann/echo/m", method).json()["method"] == method
    path = f"{hub.url}user/ann/echo/m"
    assert requests.request(method, path, headers=with_token(hub, "ann"), timeout=30).status_code == 200
    assert ben.fetch("user/ann/echo/m", method).status_code == 403
    assert Browser(hub).fetch("user/ann/echo/m", method).status_code == 403
    assert requests.request(method, path, headers=with_token(hub, "ben"), timeout=30).status_code == 403


@pytest.mark.parametrize(
    "path", ["echo/x", "proxy/1/", "server-proxy/servers-info", "server-proxy/api/servers", "server-proxy/api/events"]
)
def test_strangers_see_nothing(hub: Hub, ben: Browser, path: str) -> None:
    for browser in (ben, Browser(hub)):
        assert browser.fetch(f"user/ann/{path}").status_code == 403
    page = ben.open(f"user/ann/{path}")  # the Hub's login knows ben, and does not let him in: no loop
    assert page.status_code == 403


def test_websockets(hub: Hub, ann: Browser, ben: Browser) -> None:
    ann.open("user/ann/echo/")
    cookie = {"Cookie": ann.cookies("user/ann/"), "Origin": f"http://{hub.host}"}
    assert asyncio.run(talk(hub, "user/ann/echo/ws", cookie)) == "hello"
    assert asyncio.run(talk(hub, "user/ann/echo/ws", with_token(hub, "ann"))) == "hello"
    for headers in (
        {},
        {"Cookie": ben.cookies("user/ann/"), "Origin": f"http://{hub.host}"},
        with_token(hub, "ben"),
        {**cookie, "Origin": "http://evil.example"},
    ):
        with pytest.raises(websockets.InvalidStatus) as caught:
            asyncio.run(talk(hub, "user/ann/echo/ws", headers))
        assert caught.value.response.status_code == 403


def test_c_nothing_of_the_hub_reaches_the_application(hub: Hub) -> None:
    browser = Browser(hub, "ann")
    assert browser.open("user/ann/echo/").status_code == 200
    browser.session.cookies.set("own", "1")
    answer = browser.open("user/ann/echo/x", headers={"X-Jupyter-User": "root"})
    assert fields_of(answer)["cookie"] == "own=1"
    assert fields_of(answer)["x-jupyter-user"] == "ann"
    for name in ("_xsrf", "jupyterhub-session-id", "jupyterhub-user"):
        assert name not in answer.text
    token = hub.token("ann")
    for options in ({"headers": {"Authorization": f"token {token}"}}, {"params": {"token": token}}):
        answer = requests.get(f"{hub.url}user/ann/echo/x", timeout=30, **options)  # type: ignore[arg-type]
        assert token not in answer.text
    environment = browser.open("user/ann/echo/environ").json()["environ"]
    assert environment["APP_USER"] == "ann"
    assert not [name for name in environment if "TOKEN" in name or "SECRET" in name]


def test_the_waiting_page_brings_the_token_that_its_script_needs(hub: Hub) -> None:
    browser = Browser(hub, "ann")
    assert browser.open("user/ann/echo/").status_code == 200
    for cookie in list(browser.session.cookies):
        if cookie.name == "_xsrf" and cookie.path.startswith("/jhub/user"):
            browser.session.cookies.clear(cookie.domain, cookie.path, cookie.name)
    page = browser.open("user/ann/slow/")
    assert (page.status_code, "text/html" in page.headers["Content-Type"]) == (503, True)
    xsrf = next(
        (one.value for one in browser.session.cookies if one.name == "_xsrf" and one.path.startswith("/jhub/user")),
        None,
    )
    assert xsrf, page.headers
    headers = {"X-XSRFToken": xsrf}
    path = "user/ann/server-proxy/api/servers/slow"
    assert browser.fetch(path, headers=headers).status_code == 200
    wait_until(lambda: browser.fetch(path, headers=headers).json()["state"] == "ready", "the start")
    assert browser.fetch(f"{path}/stop", "POST").status_code == 403
    assert browser.fetch(f"{path}/stop", "POST", headers=headers).status_code == 200


def test_activity_is_the_users_and_named_servers_are_apart(hub: Hub, ann: Browser) -> None:
    hub.spawn("ann", "desk")
    token = with_token(hub, "ann")

    def last(server: str) -> Any:
        return hub.user("ann")["servers"][server]["last_activity"]

    environment = requests.get(f"{hub.url}user/ann/desk/echo/environ", headers=token, timeout=30).json()["environ"]
    assert (environment["APP_USER"], environment["APP_SERVER"]) == ("ann", "desk")

    async def stay() -> None:
        async with websockets.connect(
            f"ws://{hub.host}{hub.base_url}user/ann/desk/echo/ws", additional_headers=token, proxy=None,
            ping_interval=0.2,
        ) as connection:  # fmt: skip
            await asyncio.sleep(3)
            opened = last("desk")
            await asyncio.sleep(4)
            assert last("desk") == opened  # open, with pings, and idle
            await connection.send("x")
            await asyncio.to_thread(wait_until, lambda: last("desk") != opened, "a message is activity")

    asyncio.run(stay())


@pytest.mark.skipif(jupyterhub.version_info < (5,), reason="JupyterHub shares servers since version 5")
def test_shared_servers(hub: Hub) -> None:
    token = with_token(hub, "ben")
    url = f"{hub.url}user/ann/echo/x"
    hub.api("POST", "users/ben")
    assert requests.get(url, headers=token, timeout=30).status_code == 403
    assert hub.api("POST", "shares/ann/", json={"user": "ben"}).status_code == 200
    shared = with_token(hub, "ben")  # another token: what the Hub said of the first one is remembered
    answer = requests.get(url, headers=shared, timeout=30)
    assert (answer.status_code, fields_of(answer)["x-jupyter-user"]) == (200, "ben")
    assert hub.api("PATCH", "shares/ann/", json={"user": "ben"}).status_code == 200
    assert requests.get(url, headers=with_token(hub, "ben"), timeout=30).status_code == 403


@pytest.mark.parametrize("how", ["stop", "kill -9"])
def test_p_nothing_is_left(hub: Hub, how: str) -> None:
    name = how.partition(" ")[0]
    hub.spawn("cleo", name)
    assert (
        requests.get(f"{hub.url}user/cleo/{name}/echo/x", headers=with_token(hub, "cleo"), timeout=60).status_code
        == 200
    )
    pid = hub.pid("cleo", name)
    family = processes_below(pid)
    assert len(family) >= 3  # Jupyter, the guard, the application
    if how == "stop":
        hub.stop_server("cleo", name)
    else:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: all_gone(family), "nothing is left", 30)
