"""`jupyter standaloneproxy` as the server that JupyterHub spawns: two people, two applications."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from typing import Any

import psutil
import pytest
import requests
import websockets
from hub import Browser, Hub, all_gone, fields_of, processes_below, wait_until

CONFIG = """
apps = {
    "ann": ECHO,
    "ben": [sys.executable, "-m", "http.server", "--bind=127.0.0.1", "{port}"],
}
async def choose(spawner):
    options = ["--identity-headers=True", "--environment={'APP_USER': '{user}', 'APP_SERVER': '{server_name}'}"]
    spawner.cmd = [*STANDALONE, *options, "--", *apps.get(spawner.user.name, ECHO)]
c.Spawner.pre_spawn_hook = choose
"""


@pytest.fixture(scope="module")
def hub(start_hub: Callable[..., Hub]) -> Hub:
    hub: Hub = start_hub(CONFIG, base_url="/jhub/")
    hub.spawn("ann")
    hub.spawn("ben")
    return hub


@pytest.fixture(scope="module")
def ann(hub: Hub) -> Browser:
    return Browser(hub, "ann")


@pytest.fixture(scope="module")
def ben(hub: Hub) -> Browser:
    return Browser(hub, "ben")


async def talk(hub: Hub, path: str, headers: dict[str, str], message: str = "hello") -> str:
    """Send one message by a websocket, and return what comes back."""
    async with websockets.connect(
        f"ws://{hub.host}{hub.base_url}{path}", additional_headers=headers, proxy=None, open_timeout=30
    ) as connection:
        await connection.send(message)
        return str(await asyncio.wait_for(connection.recv(), 30))


# ---- the journey


def test_people_log_in_and_reach_their_application(hub: Hub, ann: Browser, ben: Browser) -> None:
    answer = ann.open("user/ann/some/page?q=1")
    assert answer.status_code == 200
    assert answer.json()["target"] == "/some/page?q=1"
    assert [step.status_code for step in answer.history][:1] == [302]  # to the Hub's login, and back
    fields = fields_of(answer)
    assert fields["x-forwarded-prefix"] == "/jhub/user/ann"
    assert fields["x-jupyter-user"] == "ann"
    assert "access:servers!server=ann/" in fields["x-jupyter-scopes"]
    assert "Directory listing" in ben.open("user/ben/").text


def test_c_nothing_of_the_hub_reaches_the_application(hub: Hub) -> None:
    ann = Browser(hub, "ann")
    ann.session.cookies.set("own", "1")
    answer = ann.open("user/ann/x", headers={"X-Jupyter-User": "root", "X_Jupyter_Groups": "wheel"})
    for name in ("_xsrf", "jupyterhub-session-id", "jupyterhub-user"):
        assert name not in answer.text
    fields = fields_of(answer)
    assert fields["cookie"] == "own=1"
    assert fields["x-jupyter-user"] == "ann"
    assert "x_jupyter_groups" not in fields
    assert fields["x-jupyter-groups"] == ""
    token = hub.token("ann")
    with_token = requests.get(f"{hub.url}user/ann/x", headers={"Authorization": f"token {token}"}, timeout=30)
    assert with_token.status_code == 200
    assert token not in with_token.text
    environment = ann.open("user/ann/environ").json()["environ"]
    assert environment["APP_USER"] == "ann"
    assert environment["APP_SERVER"] == ""
    secret = [name for name in environment if "TOKEN" in name or "SECRET" in name]
    assert secret == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"])
def test_all_methods_pass_for_the_owner_and_for_nobody_else(hub: Hub, ann: Browser, ben: Browser, method: str) -> None:
    ann.open("user/ann/")
    answer = ann.fetch("user/ann/m", method, data=b"12345" if method in ("POST", "PUT", "PATCH") else None)
    assert answer.status_code == 200, answer.text
    if method != "HEAD":
        assert answer.json()["method"] == method
    stranger = ben.fetch("user/ann/m", method)
    assert stranger.status_code == 403
    anonymous = Browser(hub).fetch("user/ann/m", method)
    assert anonymous.status_code == 403
    token = {"Authorization": f"token {hub.token('ben')}"}
    assert requests.request(method, f"{hub.url}user/ann/m", headers=token, timeout=30).status_code == 403
    wrong = {"Authorization": "token 0123456789abcdef"}
    assert requests.request(method, f"{hub.url}user/ann/m", headers=wrong, timeout=30).status_code == 403


OWN = ["server-proxy/api/servers", "server-proxy/api/ports", "server-proxy/api/events", "server-proxy/metrics",
       "server-proxy/icon/x", "server-proxy/api/servers/python/logs", "server-proxy/api/nothing", "oauth_callbac",
       "", "a/b/c", "proxy/80/", "ws"]  # fmt: skip


@pytest.mark.parametrize("path", OWN)
def test_strangers_are_refused_on_every_path(hub: Hub, ben: Browser, path: str) -> None:
    for browser in (ben, Browser(hub)):
        assert browser.fetch(f"user/ann/{path}").status_code == 403
    page = ben.open(f"user/ann/{path}")
    assert page.status_code == 403
    assert "some/page" not in page.text


def test_websockets_pass_for_the_owner_and_for_nobody_else(hub: Hub, ann: Browser, ben: Browser) -> None:
    ann.open("user/ann/")
    ben.open("user/ben/")
    origin = {"Origin": f"http://{hub.host}"}
    assert asyncio.run(talk(hub, "user/ann/ws", {"Cookie": ann.cookies("user/ann/"), **origin})) == "hello"
    token = {"Authorization": f"token {hub.token('ann')}"}
    assert asyncio.run(talk(hub, "user/ann/ws", token)) == "hello"
    refused: list[dict[str, str]] = [
        {},
        {"Cookie": ben.cookies("user/ann/") + "; " + ben.cookies("user/ben/"), **origin},
        {"Authorization": f"token {hub.token('ben')}"},
        {"Cookie": ann.cookies("user/ann/"), "Origin": "http://evil.example"},
    ]
    for headers in refused:
        with pytest.raises(websockets.InvalidStatus) as caught:
            asyncio.run(talk(hub, "user/ann/ws", headers))
        assert caught.value.response.status_code == 403


def test_a_logout_is_honoured(hub: Hub) -> None:
    browser = Browser(hub, "ann")
    assert browser.open("user/ann/x").status_code == 200
    kept = browser.cookies("user/ann/")
    assert requests.get(f"{hub.url}user/ann/x", headers={"Cookie": kept}, timeout=30).status_code == 200
    browser.open("hub/logout")
    answer = browser.fetch("user/ann/x")
    assert answer.status_code == 403
    without_session = "; ".join(part for part in kept.split("; ") if "session-id" not in part)
    answer = requests.get(
        f"{hub.url}user/ann/x", headers={"Cookie": without_session, "Sec-Fetch-Mode": "cors"}, timeout=30
    )
    assert answer.status_code == 403


def test_our_own_logout_leads_to_the_hubs(hub: Hub) -> None:
    browser = Browser(hub, "ann")
    assert browser.open("user/ann/x").status_code == 200
    answer = browser.open("user/ann/server-proxy/logout")
    assert answer.status_code == 200
    assert "/hub/" in answer.url
    assert browser.fetch("user/ann/x").status_code == 403


# ---- our own endpoints


def test_the_api_wants_the_token_against_cross_site_requests(hub: Hub) -> None:
    browser = Browser(hub, "ann")
    assert browser.open("user/ann/").status_code == 200
    assert browser.open("user/ann/server-proxy/api/servers").status_code == 200  # a navigation sets the cookie
    name = browser.open("user/ann/server-proxy/api/servers").json()["servers"][0]["name"]
    path = f"user/ann/server-proxy/api/servers/{name}"
    assert browser.fetch(f"{path}/restart", "POST").status_code == 403
    xsrf = next(
        cookie.value for cookie in browser.session.cookies if cookie.name == "_xsrf" and "/user/ann" in cookie.path
    )
    assert browser.fetch(path, headers={"X-XSRFToken": str(xsrf)}).status_code == 200
    crossed = {"X-XSRFToken": str(xsrf), "Origin": "http://evil.example"}
    assert browser.fetch(f"{path}/restart", "POST", headers=crossed).status_code == 403
    answer = browser.fetch(f"{path}/restart", "POST", headers={"X-XSRFToken": str(xsrf)}, params={"wait": "1"})
    assert (answer.status_code, answer.json()["state"]) == (200, "ready")
    token = {"Authorization": f"token {hub.token('ann')}"}
    assert requests.post(f"{hub.url}{path}/restart?wait=1", headers=token, timeout=60).status_code == 200


def test_probes_need_no_login_and_metrics_do(hub: Hub) -> None:
    for path in ("healthz", "readyz"):
        answer = requests.get(f"{hub.url}user/ann/server-proxy/{path}", timeout=30)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    token = {"Authorization": f"token {hub.token('ann')}"}
    metrics = requests.get(f"{hub.url}user/ann/server-proxy/metrics", headers=token, timeout=30)
    assert "jupyter_server_proxy_requests_total" in metrics.text
    assert requests.get(f"{hub.url}user/ann/server-proxy/metrics", timeout=30).status_code == 403


# ---- the life of a server


def test_stopping_leaves_no_process(hub: Hub) -> None:
    hub.spawn("cleo", "desk")
    family = processes_below(hub.pid("cleo", "desk"))
    assert len(family) >= 3  # ours, the guard, the application
    environment = requests.get(
        f"{hub.url}user/cleo/desk/environ", headers={"Authorization": f"token {hub.token('cleo')}"}, timeout=30
    ).json()["environ"]
    assert (environment["APP_USER"], environment["APP_SERVER"]) == ("cleo", "desk")
    hub.stop_server("cleo", "desk")
    wait_until(lambda: all_gone(family), "nothing is left", 20)


def test_p_kill_9_leaves_no_process(hub: Hub) -> None:
    hub.spawn("cleo", "killed")
    pid = hub.pid("cleo", "killed")
    family = processes_below(pid)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: all_gone(family), "nothing is left", 20)


def test_activity_is_reported_for_the_server_that_was_used(start_hub: Callable[..., Hub]) -> None:
    hub: Hub = start_hub(
        """
c.Spawner.cmd = [*STANDALONE, "--activity-interval=1", "--exclude-last-activity-patterns=.*/poll", "--", *ECHO]
c.JupyterHub.last_activity_interval = 100000  # the proxy in front, which counts every request, is not asked
"""
    )
    hub.spawn("ann")
    hub.spawn("ann", "named")
    token = {"Authorization": f"token {hub.token('ann')}"}

    def last(server: str) -> Any:
        return hub.user("ann")["servers"][server]["last_activity"]

    before = {name: last(name) for name in ("", "named")}
    assert requests.get(f"{hub.url}user/ann/named/x", headers=token, timeout=30).status_code == 200
    wait_until(lambda: last("named") != before["named"], "activity of the named server")
    named = last("named")
    for _ in range(5):  # polling does not count, nor does our own API
        assert requests.get(f"{hub.url}user/ann/poll", headers=token, timeout=30).status_code == 200
        assert requests.get(f"{hub.url}user/ann/server-proxy/api/servers", headers=token, timeout=30).status_code == 200

    async def stay() -> None:
        async with websockets.connect(
            f"ws://{hub.host}/user/ann/ws",
            additional_headers=token, proxy=None, ping_interval=0.2,
        ):  # fmt: skip
            wait_until(lambda: last("") != before[""], "the handshake is activity")
            opened = last("")
            await asyncio.sleep(4)
            assert last("") == opened  # open, with pings, and idle

    asyncio.run(stay())
    assert last("named") == named


def test_an_application_that_fails_is_a_failed_spawn(start_hub: Callable[..., Hub]) -> None:
    hub: Hub = start_hub(
        """
c.Spawner.cmd = [*STANDALONE, "--", sys.executable, "-c", "import sys; print('the licence has expired'); sys.exit(3)"]
c.Spawner.http_timeout = 8
"""
    )
    hub.api("POST", "users/ann")
    answer = hub.api("POST", "users/ann/server")
    assert answer.status_code in (202, 500), answer.text
    wait_until(lambda: not hub.user("ann")["servers"], "the spawn has failed", 60)
    assert "The application could not be started: Server 'python" in hub.log
    assert "the licence has expired" in hub.log


def test_internal_tls(start_hub: Callable[..., Hub]) -> None:
    hub: Hub = start_hub("c.Spawner.cmd = [*STANDALONE, '--', *ECHO]\n", internal_tls=True)
    hub.spawn("ann")
    browser = Browser(hub, "ann")
    answer = browser.open("user/ann/secure")
    assert (answer.status_code, answer.json()["target"]) == (200, "/secure")
    cookie = {"Cookie": browser.cookies("user/ann/"), "Origin": f"http://{hub.host}"}
    assert asyncio.run(talk(hub, "user/ann/ws", cookie)) == "hello"
    [address] = {
        connection.laddr
        for connection in psutil.Process(hub.pid("ann")).net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    with pytest.raises(requests.exceptions.RequestException):  # nobody without a certificate of the Hub
        requests.get(f"https://127.0.0.1:{address.port}/user/ann/", verify=False, timeout=10)
