"""What JupyterHub takes away is gone as soon as JupyterHub's own client says so, on a connection that stays open.

That client (``HubAuth``) remembers the Hub's answers for ``cache_max_age`` seconds, five minutes without a word to the
contrary; here it is two. Nothing may be added to that. The connections go to the servers themselves: the Hub's proxy
would make a new one for each request.
"""

from __future__ import annotations

import functools
import json
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import jupyterhub
import psutil
import pytest
from hub import Browser, Hub
from wire import Response, Wire

#: Seconds; ``HubAuth.cache_max_age``.
MAX_AGE = 2

#: Allowed requests that come before: the way that requests take may change with the second one of a connection.
BEFORE = 4

#: Navigations go to the Hub's login.
REFUSED = {302, 403}

CONFIG = f"""
from pathlib import Path
configs = Path(os.environ["JUPYTER_CONFIG_DIR"]).with_name("singleuser")
configs.mkdir(exist_ok=True)
(configs / "jupyter_server_config.py").write_text(f'''
c.ServerProxy.servers = {{{{"echo": {{{{"command": {{ECHO!r}}, "timeout": 60, "identity_headers": True}}}}}}}}
c.ServerApp.jpserver_extensions = {{{{"jupyter_server_proxy": True}}}}
c.HubOAuth.cache_max_age = {MAX_AGE}
''')
# Options of the Hub's client are no options of the service.
hasty = '''
import functools, runpy
from jupyterhub.services.auth import HubOAuth
HubOAuth.__init__ = functools.partialmethod(HubOAuth.__init__, cache_max_age={MAX_AGE})
runpy.run_module("jupyter_server_proxy.standalone", run_name="__main__", alter_sys=True)
'''
def choose(spawner):
    if spawner.name == "alone":
        spawner.cmd = [sys.executable, "-c", hasty, "--identity-headers=True", "--", *ECHO]
    else:
        spawner.cmd = ["jupyterhub-singleuser", *ROOT]
c.Spawner.pre_spawn_hook = choose
c.Spawner.environment = {{"JUPYTER_CONFIG_DIR": str(configs),
                         "JUPYTERHUB_SINGLEUSER_APP": "jupyter_server.serverapp.ServerApp"}}
"""


@dataclass(frozen=True)
class Place:
    """A server of ann's.

    Args:
        hub: that has spawned it.
        server: its name.
        application: path of the application behind the proxy, below the server's own.
        own: path of a URL that is not proxied, and needs the same login.
    """

    hub: Hub
    server: str
    application: str
    own: str

    @property
    def prefix(self) -> str:
        """Below the Hub's base URL."""
        return f"user/ann/{self.server}/"

    @functools.cached_property
    def port(self) -> int:
        """On which the server itself listens."""
        [port] = {
            connection.laddr.port
            for connection in psutil.Process(self.hub.pid("ann", self.server)).net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN
        }
        return int(port)


@pytest.fixture(scope="module")
def hub(start_hub: Callable[..., Hub]) -> Hub:
    return start_hub(CONFIG, base_url="/jhub/")


@pytest.fixture(scope="module", params=["singleuser", "alone"])
def place(request: pytest.FixtureRequest, hub: Hub) -> Iterator[Place]:
    hub.spawn("ann", request.param)
    hub.api("POST", "users/ben")
    if request.param == "singleuser":
        yield Place(hub, "singleuser", "echo/x", "api/status")
    else:
        yield Place(hub, "alone", "x", "server-proxy/api/servers")
    hub.stop_server("ann", request.param)


class Client:
    """One connection to the server itself, as the Hub's proxy would make it."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._wire = Wire(socket.create_connection(("127.0.0.1", place.port)))

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._wire.close()

    def ask_all(self, path: str, asked: list[tuple[str, ...]]) -> list[Response]:
        """A GET for each set of fields, all in one segment."""
        target = f"{self.place.hub.base_url}{self.place.prefix}{path}"
        start = (f"GET {target} HTTP/1.1", f"Host: {self.place.hub.host}")
        self._wire.send(*(line for fields in asked for line in (*start, *fields, "")), "")
        return [self._wire.response() for _ in asked]

    def proxied(self, *fields: str) -> Response:
        return self.ask_all(self.place.application, [fields])[0]

    def own(self, *fields: str) -> Response:
        return self.ask_all(self.place.own, [fields])[0]

    def warm_up(self, *fields: str) -> None:
        """So many allowed requests that whatever is remembered is, and that the connection is a familiar one."""
        for _ in range(BEFORE):
            assert self.proxied(*fields).status == 200
        assert self.own(*fields).status == 200
        assert self.proxied(*fields).status == 200


def authorization(token: str) -> str:
    return f"Authorization: token {token}"


def user_of(response: Response) -> str:
    """Whom the application takes the client for."""
    [user] = [value for name, value in json.loads(response.body)["headers"] if name.lower() == "x-jupyter-user"]
    return str(user)


def ends(client: Client, fields: tuple[str, ...], revoked: float) -> None:
    """Access ends for the application when it ends for the server's own URLs, which is in time.

    Args:
        client: that has been let in by these fields.
        fields: of a request.
        revoked: when the Hub had confirmed that they are worth nothing any more.
    """
    last = 0.0
    while True:
        own, sent = client.own(*fields).status, time.monotonic()
        assert sent < revoked + MAX_AGE + 30, "access never ends"
        proxied = client.proxied(*fields).status
        if proxied == 200:
            last = sent
            assert own == 200, "the application is open to whom the Hub's client has refused"
        if proxied != 200 and own != 200:
            break
        time.sleep(0.02)
    # Nothing that was remembered before the end lasts longer, however slow this machine is.
    assert last < revoked + MAX_AGE + 0.5
    assert {client.proxied(*fields).status for _ in range(BEFORE)} <= REFUSED
    assert client.own(*fields).status in REFUSED


def test_a_revoked_token(place: Place) -> None:
    hub = place.hub
    made = hub.api("POST", "users/ann/tokens", json={}).json()
    fields, other = (authorization(made["token"]),), (authorization(hub.token("ann")),)
    with Client(place) as client, Client(place) as bystander:
        client.warm_up(*fields)
        client.warm_up(*other)
        bystander.warm_up(*other)
        assert hub.api("DELETE", f"users/ann/tokens/{made['id']}").status_code == 204
        ends(client, fields, time.monotonic())
        for one in (client, bystander):
            assert one.proxied(*other).status == 200  # on this connection, too: not the connection was meant


def test_a_logout_ends_what_was_copied(place: Place) -> None:
    """The Hub knows its sessions: unlike Jupyter's own, a cookie is worth nothing after a logout."""
    browser = Browser(place.hub, "ann")
    assert browser.open(f"{place.prefix}{place.application}").status_code == 200
    navigating = ("Sec-Fetch-Mode: navigate", "Sec-Fetch-Site: none")  # scripts need a token against forgery, too
    cookies = browser.cookies(place.prefix)
    copied = (f"Cookie: {cookies}", *navigating)
    without_session = "; ".join(part for part in cookies.split("; ") if "session-id" not in part)
    assert without_session != cookies
    with Client(place) as client:
        client.warm_up(*copied)
        assert user_of(client.proxied(*copied)) == "ann"
        assert browser.open("hub/logout").status_code == 200
        out = time.monotonic()
        for left in (browser.cookies(place.prefix), without_session, "own=1"):  # the first is what the browser has now
            assert client.proxied(f"Cookie: {left}", *navigating).status in REFUSED
        assert client.proxied().status == 403
        ends(client, copied, out)


@pytest.mark.skipif(jupyterhub.version_info < (5,), reason="JupyterHub shares servers since version 5")
def test_a_share_that_is_taken_back(place: Place) -> None:
    hub = place.hub
    assert hub.api("POST", f"shares/ann/{place.server}", json={"user": "ben"}).status_code == 200
    ann, ben = (authorization(hub.token("ann")),), (authorization(hub.token("ben")),)
    with Client(place) as client:
        client.warm_up(*ben)
        client.warm_up(*ann)
        assert user_of(client.proxied(*ben)) == "ben"
        assert hub.api("PATCH", f"shares/ann/{place.server}", json={"user": "ben"}).status_code == 200
        ends(client, ben, time.monotonic())
        assert user_of(client.proxied(*ann)) == "ann"


@pytest.mark.skipif(jupyterhub.version_info < (5,), reason="JupyterHub shares servers since version 5")
@pytest.mark.parametrize("together", [False, True], ids=["one-by-one", "pipelined"])
def test_everybody_is_who_they_are_on_one_connection(place: Place, together: bool) -> None:
    hub = place.hub
    assert hub.api("POST", f"shares/ann/{place.server}", json={"user": "ben"}).status_code == 200
    people = {"ann": authorization(hub.token("ann")), "ben": authorization(hub.token("ben")), "": ""}
    hub.api("POST", "users/cleo")
    cleo, wrong = authorization(hub.token("cleo")), authorization("0123456789abcdef")
    with Client(place) as client:
        client.warm_up(people["ann"])
        for path in (place.application, place.own) * 4:
            asked = {
                "ann": (people["ann"],), "nobody": (), "ben": (people["ben"],), "wrong": (wrong,), "cleo": (cleo,),
                "ann again": (people["ann"], "X-Jupyter-User: ben"),
                "ben again": (people["ben"], "X-Jupyter-User: ann"),
            }  # fmt: skip
            sets = list(asked.values())
            answers = client.ask_all(path, sets) if together else [client.ask_all(path, [one])[0] for one in sets]
            for name, answer in zip(asked, answers, strict=True):
                expected = name.partition(" ")[0] if name.startswith(("ann", "ben")) else None
                assert answer.status == (403 if expected is None else 200), (path, name)
                if expected is not None and path == place.application:
                    assert user_of(answer) == expected
                    assert not any(people[who].split()[-1] in answer.body.decode() for who in ("ann", "ben"))


@pytest.mark.skipif(jupyterhub.version_info < (5,), reason="JupyterHub shares servers since version 5")
def test_a_user_who_is_removed(place: Place) -> None:
    hub = place.hub
    hub.api("POST", "users/cleo")
    assert hub.api("POST", f"shares/ann/{place.server}", json={"user": "cleo"}).status_code == 200
    cleo = (authorization(hub.token("cleo")),)
    with Client(place) as client:
        client.warm_up(*cleo)
        assert user_of(client.proxied(*cleo)) == "cleo"
        assert hub.api("DELETE", "users/cleo").status_code == 204
        ends(client, cleo, time.monotonic())
