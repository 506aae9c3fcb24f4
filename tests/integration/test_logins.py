"""A login that is believed for some seconds is believed of nobody else, and of nothing that has changed meanwhile.

All that is asked here goes over one connection, which has been used for some allowed requests before; requests to
Jupyter's own URLs are among them, for whatever Jupyter itself says of the same credentials has to hold for
applications, too.
"""

from __future__ import annotations

import contextlib
import json
import random
import re
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from harness import Jupyter
from jupyter_server.auth import passwd
from tornado.web import create_signed_value
from wire import Response, Wire

from jupyter_server_proxy.extension.logins import LIFETIME

LEVERS = secrets.token_hex(16)
SECRET = secrets.token_hex(32)

#: Seconds: how long Jupyter's cookies are good (tornado's ``max_age_days`` is 31).
MAX_AGE = 31 * 24 * 3600

#: Allowed requests that come before: the way that requests take may change with the second one of a connection.
BEFORE = 4

CONFIG = f"""
sys.path.insert(0, {str(Path(__file__).parent)!r})
c.ServerApp.cookie_secret = {SECRET.encode()!r}
c.ServerProxy.servers = {{"echo": {{"command": ECHO, "identity_headers": True}}}}
"""


def start(start_jupyter: Callable[..., Jupyter], more: str) -> Jupyter:
    jupyter = start_jupyter(
        CONFIG + more, extensions=("jupyter_server_proxy", "levers"), environment={"LEVERS": LEVERS}, base_url="/base/"
    )
    assert jupyter.get("echo/").status == 200
    return jupyter


def pull(jupyter: Jupyter, **changes: Any) -> dict[str, int]:
    """Change what this server goes by; how often its provider and its authorizer have been asked so far."""
    headers = {"X-Levers": LEVERS}
    answer = jupyter.request("PUT", "levers", body=json.dumps(changes).encode(), headers=headers, login=False)
    assert answer.status == 204
    counts: dict[str, int] = jupyter.get("levers", headers=headers, login=False).json()
    return counts


def reset(jupyter: Jupyter) -> None:
    pull(
        jupyter, token=jupyter.token, hashed_password="", cookie_secret=SECRET, allow_remote_access=False,
        provider="open", authorizer="open",
    )  # fmt: skip


@pytest.fixture(scope="module")
def stock(start_jupyter: Callable[..., Jupyter]) -> Jupyter:
    """Jupyter's own identity provider, whose logins are remembered."""
    return start(start_jupyter, "c.ServerApp.authorizer_class = 'levers.Gate'\n")


@pytest.fixture
def jupyter(stock: Jupyter) -> Iterator[Jupyter]:
    yield stock
    reset(stock)


@pytest.fixture(scope="module", params=["Subclass", "AsyncSubclass"])
def own_provider(request: pytest.FixtureRequest, start_jupyter: Callable[..., Jupyter]) -> Jupyter:
    """An identity provider that might look at anything."""
    gate = "AsyncGate" if request.param == "AsyncSubclass" else "Gate"
    more = f"c.ServerApp.identity_provider_class = 'levers.{request.param}'\n"
    return start(start_jupyter, f"{more}c.ServerApp.authorizer_class = 'levers.{gate}'\n")


@pytest.fixture
def custom(own_provider: Jupyter) -> Iterator[Jupyter]:
    yield own_provider
    reset(own_provider)


# ---- the client


@dataclass(frozen=True)
class Ask:
    """A request.

    Args:
        path: below the base URL.
        fields: "Name: value" lines.
        host: of the Host field; None for the right one.
        body: for a POST; None for a GET.
    """

    path: str
    fields: tuple[str, ...] = ()
    host: str | None = None
    body: bytes | None = None


class Client:
    """One connection, for as many requests as a test likes."""

    def __init__(self, jupyter: Jupyter) -> None:
        self._jupyter = jupyter
        self._wire = Wire(jupyter.raw())

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._wire.close()

    def ask_all(self, asked: list[Ask]) -> list[Response]:
        """All in one segment, without waiting for an answer."""
        self._wire.send(b"".join(map(self._bytes, asked)))
        return [self._wire.response() for _ in asked]

    def ask(self, path: str, *fields: str, host: str | None = None, body: bytes | None = None) -> Response:
        """One request and its answer."""
        return self.ask_all([Ask(path, fields, host, body)])[0]

    def both(self, *fields: str, query: str = "") -> int:
        """The status that an application's URL and one of Jupyter's have in common."""
        proxied, own = self.ask(f"echo/x{query}", *fields), self.ask(f"api/status{query}", *fields)
        assert proxied.status == own.status, (proxied, own)
        return proxied.status

    def warm_up(self, *fields: str, query: str = "") -> None:
        """So many allowed requests that whatever is remembered is, and that the connection is a familiar one."""
        for _ in range(BEFORE):
            assert self.ask(f"echo/x{query}", *fields).status == 200
        assert self.both(*fields, query=query) == 200
        assert self.ask(f"echo/x{query}", *fields).status == 200

    def _bytes(self, ask: Ask) -> bytes:
        host = ask.host or f"127.0.0.1:{self._jupyter.port}"
        method, length = ("GET", ()) if ask.body is None else ("POST", (f"Content-Length: {len(ask.body)}",))
        lines = (f"{method} {self._jupyter.path(ask.path)} HTTP/1.1", f"Host: {host}", *ask.fields, *length, "", "")
        return "\r\n".join(lines).encode() + (ask.body or b"")


def authorization(token: str) -> str:
    return f"Authorization: token {token}"


def cookie(
    jupyter: Jupyter, user: str, *, secret: str | dict[int, str] = SECRET, age: float = 0, version: int | None = None
) -> str:
    """What Jupyter would have set for a user so many seconds ago."""
    name = re.sub("[^A-Za-z0-9]", "-", f"username-127.0.0.1:{jupyter.port}")
    model = {"username": user, "name": user, "display_name": user, "initials": "", "color": None, "avatar_url": None}
    value = create_signed_value(secret, name, json.dumps(model), clock=lambda: time.time() - age, key_version=version)
    return f"Cookie: {name}={value.decode()}"


def received(response: Response) -> dict[str, str]:
    """The fields that the application has got, by their lower-case names; none twice."""
    pairs = json.loads(response.body)["headers"]
    fields = {name.lower(): value for name, value in pairs}
    assert len(fields) == len(pairs)
    return fields


# ---- whose login it is


@dataclass(frozen=True)
class Case:
    """Somebody's credentials, and what comes of them.

    Args:
        fields: that carry them.
        user: who that is: a name, "" for somebody without, None for nobody.
        query: that carries them.
        app: field of the application's own that has to come through.
    """

    fields: tuple[str, ...]
    user: str | None
    query: str = ""
    app: tuple[str, str] | None = None


def cases(jupyter: Jupyter) -> list[Case]:
    ann, ben = cookie(jupyter, "ann"), cookie(jupyter, "ben")
    forged = cookie(jupyter, "cleo", secret="another")
    name = ann.removeprefix("Cookie: ").partition("=")[0]
    token = authorization(jupyter.token)
    return [
        Case((ann,), "ann"),
        Case((f"{ann}; own=ann",), "ann", app=("cookie", "own=ann")),
        Case((f"{ben}; own=ben",), "ben", app=("cookie", "own=ben")),
        Case((ann, token), "ann"),
        Case((ben, authorization("of-the-application")), "ben", app=("authorization", "token of-the-application")),
        Case((token,), ""),
        Case((), "", query=f"?token={jupyter.token}"),
        Case((token, "Cookie: own=3"), "", app=("cookie", "own=3")),
        Case((), None),
        Case(("Cookie: own=2",), None),
        Case((forged,), None),
        Case((ann[:-1] + ("0" if ann[-1] != "0" else "1"),), None),
        Case((f"Cookie: {name}=ann",), None),
        Case((authorization("wrong"),), None),
        Case((authorization(jupyter.token[:-1]),), None),
        Case((), None, query="?token=wrong"),
        Case((), None, query=f"?tokens={jupyter.token}"),
        Case((f"X-Authorization: token {jupyter.token}", "X-Jupyter-User: ann"), None),
    ]  # fmt: skip


def ask_echo(number: int, case: Case) -> Ask:
    """A request to the application; some have a body."""
    return Ask(f"echo/x{case.query}", (*case.fields, f"X-Number: {number}"), body=b"x" if number % 7 == 3 else None)


def ask_jupyter(case: Case) -> Ask:
    """The same credentials for a URL of Jupyter's."""
    return Ask(f"api/me{case.query}", case.fields)


def check_jupyter(case: Case, response: Response) -> None:
    """What Jupyter says of them, which is what is expected of us."""
    assert response.status == (403 if case.user is None else 200), case
    if case.user:
        assert json.loads(response.body)["identity"]["username"] == case.user


def check_echo(case: Case, number: int, response: Response, jupyter: Jupyter) -> None:
    """The answer is to this request and to no other, and the application knows what it may know."""
    assert response.status == (403 if case.user is None else 200), case
    if case.user is None:
        assert b'"headers"' not in response.body
        return
    fields = received(response)
    assert fields["x-number"] == str(number)
    user = fields["x-jupyter-user"]
    assert user == case.user or (case.user == "" and re.fullmatch(r"[0-9a-f]{32}", user)), case
    for name in ("cookie", "authorization"):
        assert fields.get(name) == (case.app[1] if case.app and case.app[0] == name else None), case
    assert jupyter.token not in response.body.decode()
    assert "username-" not in response.body.decode()


@pytest.mark.behaviour("S1")
@pytest.mark.parametrize("together", [1, 5], ids=["one-by-one", "pipelined"])
def test_everybody_is_who_they_are_on_one_connection(jupyter: Jupyter, together: int) -> None:
    chance = random.Random(20240607)
    known = cases(jupyter)
    drawn = [case for _ in range(6) for case in chance.sample(known, len(known))]
    with Client(jupyter) as client:
        client.warm_up(cookie(jupyter, "ann"))
        for first in range(0, len(drawn), together):
            batch = list(enumerate(drawn[first : first + together], first))
            asked = [ask_echo(number, case) for number, case in batch]
            if first % 2:  # Jupyter's own between those to the application
                asked = [one for ask, (_, case) in zip(asked, batch, strict=True) for one in (ask, ask_jupyter(case))]
            answers = client.ask_all(asked)
            if first % 2:
                for (_, case), response in zip(batch, answers[1::2], strict=True):
                    check_jupyter(case, response)
                answers = answers[::2]
            for (number, case), response in zip(batch, answers, strict=True):
                check_echo(case, number, response, jupyter)


@pytest.mark.behaviour("S1")
def test_a_login_on_one_connection_is_none_on_another(jupyter: Jupyter) -> None:
    with Client(jupyter) as anns, Client(jupyter) as nobodys, Client(jupyter) as bens:
        anns.warm_up(cookie(jupyter, "ann"))
        bens.warm_up(cookie(jupyter, "ben"))
        for _ in range(BEFORE):
            assert nobodys.both() == 403
            assert received(anns.ask("echo/x", cookie(jupyter, "ann")))["x-jupyter-user"] == "ann"
            assert received(bens.ask("echo/x", cookie(jupyter, "ben")))["x-jupyter-user"] == "ben"
            assert anns.ask("echo/x").status == 403


@pytest.mark.behaviour("S1")
@pytest.mark.parametrize("connections", [1, 3])
@pytest.mark.parametrize("how", [("Sec-Fetch-Mode: navigate",), ("Accept: text/html,*/*;q=0.8",)], ids=["new", "old"])
def test_people_who_follow_the_same_link_are_not_the_same(
    jupyter: Jupyter, connections: int, how: tuple[str, ...]
) -> None:
    """Jupyter makes somebody new of each who comes by a token, and a cookie by which it knows them later."""
    users = []
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(jupyter)) for _ in range(connections)] * (3 // connections)
        for client in clients:
            client.warm_up(query=f"?token={jupyter.token}")
            answer = client.ask(f"echo/x?token={jupyter.token}", *how)
            user = received(answer)["x-jupyter-user"]
            [line] = [line for line in answer.get_all("Set-Cookie") if line.startswith("username-")]
            field = f"Cookie: {line.partition(';')[0]}"
            for path in ("echo/x", f"echo/x?token={jupyter.token}"):
                assert received(client.ask(path, field, *how))["x-jupyter-user"] == user
            assert json.loads(client.ask("api/me", field).body)["identity"]["username"] == user
            users.append(user)
    assert len(set(users)) == 3


# ---- what was good, and is no longer


@pytest.mark.behaviour("S1")
@pytest.mark.parametrize("where", ["field", "query"])
def test_another_token_ends_the_old_one_at_once(jupyter: Jupyter, where: str) -> None:
    new = secrets.token_hex(16)
    ways = {token: ((authorization(token),), "") if where == "field" else ((), f"?token={token}")
            for token in (jupyter.token, new)}  # fmt: skip

    def both(token: str) -> int:
        return client.both(*ways[token][0], query=ways[token][1])

    with Client(jupyter) as client:
        client.warm_up(*ways[jupyter.token][0], query=ways[jupyter.token][1])
        client.warm_up(cookie(jupyter, "ann"))
        for valid, other in ((new, jupyter.token), (jupyter.token, new)):
            pull(jupyter, token=valid)
            assert [client.ask(f"echo/x{ways[other][1]}", *ways[other][0]).status for _ in range(3)] == [403] * 3
            assert (both(other), both(valid)) == (403, 200)
            told = client.ask(f"echo/x{ways[valid][1]}", *ways[valid][0])
            assert valid not in told.body.decode()  # the application does not get the new one either
            assert client.both(cookie(jupyter, "ann")) == 200  # Jupyter's cookies do not depend on the token
        pull(jupyter, token="")  # nobody logs in by a token any more
        pull(jupyter, hashed_password=passwd("x", "sha1"))
        assert both(jupyter.token) == 403


@pytest.mark.behaviour("S1")
def test_another_cookie_secret_ends_all_cookies_at_once(jupyter: Jupyter) -> None:
    secret = secrets.token_hex(32)
    old, new = cookie(jupyter, "ann"), cookie(jupyter, "ann", secret=secret)
    with Client(jupyter) as client:
        client.warm_up(old)
        for good, bad, valid in ((new, old, secret), (old, new, SECRET)):
            pull(jupyter, cookie_secret=valid)
            assert [client.ask("echo/x", bad).status for _ in range(3)] == [403] * 3
            assert (client.both(bad), client.both(good)) == (403, 200)
            assert client.both(bad, authorization(jupyter.token)) == 200
            user = received(client.ask("echo/x", bad, authorization(jupyter.token)))["x-jupyter-user"]
            assert user != "ann"  # the token lets in, and does not make the cookie good
            assert client.both(bad) == 403


@pytest.mark.behaviour("S1")
def test_one_of_several_cookie_secrets_is_taken_away(jupyter: Jupyter) -> None:
    """tornado takes a dictionary of secrets for the time of a change; it may lose one at any time."""
    secret = {"1": secrets.token_hex(32), "2": secrets.token_hex(32)}
    first, second, unknown = (
        cookie(jupyter, "ann", secret={version: secret[number]}, version=version)
        for version, number in ((1, "1"), (2, "2"), (3, "2"))
    )
    pull(jupyter, cookie_secret=secret, key_version=2)
    with Client(jupyter) as client:
        for good in (first, second):
            client.warm_up(good)
        assert client.both(unknown) == 403
        pull(jupyter, forget_secret=1)
        assert client.ask("echo/x", first).status == 403
        assert (client.both(first), client.both(second)) == (403, 200)
        assert client.both(authorization(jupyter.token)) == 200


@pytest.mark.behaviour("S1")
def test_a_password_that_is_set_later_holds_at_once(jupyter: Jupyter) -> None:
    """Without token and password everybody passes; whoever did has no login that would last."""
    pull(jupyter, token="", hashed_password="")
    with Client(jupyter) as client:
        for fields in ((), ("Cookie: own=1",), (authorization("any"),)):
            client.warm_up(*fields)
        pull(jupyter, hashed_password=passwd("x", "sha1"))
        for fields in ((), ("Cookie: own=1",), (authorization("any"),)):
            assert client.ask("echo/x", *fields).status == 403, fields
            assert client.both(*fields) == 403
        assert client.both(cookie(jupyter, "ann")) == 200


@pytest.mark.behaviour("S1")
def test_after_a_logout_the_browser_is_out(jupyter: Jupyter) -> None:
    ann = cookie(jupyter, "ann")
    name = ann.removeprefix("Cookie: ").partition("=")[0]
    with Client(jupyter) as client:
        client.warm_up(ann)
        goodbye = client.ask("logout", ann)
        [gone] = [line for line in goodbye.get_all("Set-Cookie") if line.startswith(f"{name}=") and "/base/" in line]
        assert re.match(rf'{name}="";', gone)
        for fields in ((), (f"Cookie: {name}=",), (f'Cookie: {name}=""',)):  # what the browser sends from now on
            assert [client.ask("echo/x", *fields).status for _ in range(3)] == [403] * 3
            assert client.both(*fields) == 403
        # Jupyter's cookies are signed statements, and no session is behind them: a copy that somebody has made stays
        # good until it expires or the secret changes. So it is for Jupyter's own URLs, and not better here.
        assert client.both(ann) == 200
        pull(jupyter, cookie_secret="another")
        assert client.both(ann) == 403


@pytest.mark.behaviour("S1")
def test_a_cookie_that_has_expired_is_believed_for_a_lifetime_at_most(jupyter: Jupyter) -> None:
    """Being used all the time does not make it last longer."""
    ann, old = cookie(jupyter, "ann", age=MAX_AGE - 4), cookie(jupyter, "ann", age=MAX_AGE + 2)
    expires = int(time.time()) + 4  # cookies count whole seconds
    with Client(jupyter) as client:
        client.warm_up(ann)
        assert client.both(old) == 403
        last = sent = time.time()
        while client.ask("echo/x", ann).status == 200:
            last = sent
            assert sent < expires + LIFETIME + 30, "it is believed without end"
            time.sleep(0.05)
            sent = time.time()
        # When the last request that passed was sent: only what was remembered before the end can have let it in.
        assert last < expires + LIFETIME + 0.5
        assert client.both(ann) == 403
        assert client.both(old) == 403
        assert client.both(cookie(jupyter, "ann")) == 200


# ---- what was not good, and is now


@pytest.mark.behaviour("S1")
def test_no_refusal_is_remembered(jupyter: Jupyter) -> None:
    token, secret = secrets.token_hex(16), secrets.token_hex(32)
    ann = cookie(jupyter, "ann", secret=secret)
    with Client(jupyter) as client:
        client.warm_up(cookie(jupyter, "ben"))
        for fields, query, changes in (
            ((authorization(token),), "", {"token": token}),
            ((), f"?token={token}x", {"token": f"{token}x"}),
            ((ann,), "", {"cookie_secret": secret}),
        ):
            assert [client.ask(f"echo/x{query}", *fields).status for _ in range(BEFORE)] == [403] * BEFORE
            assert client.both(*fields, query=query) == 403
            pull(jupyter, **changes)
            assert client.ask(f"echo/x{query}", *fields).status == 200
            assert client.both(*fields, query=query) == 200


# ---- what is asked every time, whoever is known


@pytest.mark.behaviour("S1")
@pytest.mark.parametrize("how", ["cookie", "token"])
def test_the_authorizer_is_asked_about_every_request_of_a_connection(jupyter: Jupyter, how: str) -> None:
    _is_asked_every_time(jupyter, "authorizer", how)


@pytest.mark.behaviour("S1")
@pytest.mark.parametrize("how", ["cookie", "token"])
@pytest.mark.parametrize("whom", ["provider", "authorizer"])
def test_custom_ones_are_asked_about_every_request_of_a_connection(custom: Jupyter, whom: str, how: str) -> None:
    _is_asked_every_time(custom, whom, how)


def _is_asked_every_time(jupyter: Jupyter, whom: str, how: str) -> None:
    """Requests that are the same to the last byte, before and after a change of mind."""
    login = cookie(jupyter, "ann") if how == "cookie" else authorization(jupyter.token)
    count = 10
    with Client(jupyter) as client:
        client.warm_up(login)
        before = pull(jupyter)[whom]
        assert {client.ask("echo/x", login).status for _ in range(count)} == {200}
        assert {one.status for one in client.ask_all([Ask("echo/x", (login,))] * count)} == {200}
        assert {one.status for one in client.ask_all([Ask("echo/x", (login,), body=b"x")] * 3)} == {200}
        assert pull(jupyter)[whom] == before + 2 * count + 3
        for _ in range(3):
            pull(jupyter, **{whom: "closed"})
            before = pull(jupyter)[whom]
            assert client.ask("echo/x", login).status == 403
            refused = client.ask_all([Ask("echo/x", (login,)), Ask("echo/x", (login,), body=b"x")] * 2)
            assert {one.status for one in refused} == {403}
            assert pull(jupyter)[whom] >= before + 5
            assert client.ask("api/me", login).status == (403 if whom == "provider" else 200)  # no resource of its own
            pull(jupyter, **{whom: "open"})
            assert client.ask("echo/x", login).status == 200
            assert client.both(login) == 200


@pytest.mark.behaviour("S1")
@pytest.mark.parametrize("together", [1, 6], ids=["one-by-one", "pipelined"])
def test_a_provider_that_lets_in_every_second_request(custom: Jupyter, together: int) -> None:
    ann = cookie(custom, "ann")
    turns = [f"X-Turn: {secrets.token_hex(4)}" for _ in range(24)]
    with Client(custom) as client:
        client.warm_up(ann)
        answers = []
        for first in range(0, len(turns), together):
            asked = turns[first : first + together]
            paths = ["api/me" if first % 4 == 2 and together == 1 else "echo/x"] * len(asked)
            answers += client.ask_all([Ask(path, (ann, turn)) for path, turn in zip(paths, asked, strict=True)])
        statuses = [one.status for one in answers]
        assert set(map(tuple, zip(statuses[::2], statuses[1::2], strict=True))) in ({(200, 403)}, {(403, 200)})
        assert client.ask("echo/x", ann).status == 200


@pytest.mark.behaviour("S5")
@pytest.mark.parametrize("together", [False, True], ids=["one-by-one", "pipelined"])
def test_the_host_of_every_request_is_looked_at(jupyter: Jupyter, together: bool) -> None:
    """A page of another site whose name has come to mean this machine keeps its connection (DNS rebinding)."""
    token = authorization(jupyter.token)
    right, local, evil = f"127.0.0.1:{jupyter.port}", f"localhost:{jupyter.port}", f"evil.example:{jupyter.port}"
    hosts = [right, evil, right, local, evil, evil, local, "10.0.0.1", right, f"127.0.0.1.{evil}", local] * 2
    with Client(jupyter) as client:
        client.warm_up(token)
        for path in ("echo/x", "api/me"):
            asked = [Ask(path, (token,), host) for host in hosts]
            answers = client.ask_all(asked) if together else [client.ask_all([one])[0] for one in asked]
            assert [one.status for one in answers] == [200 if host in (right, local) else 403 for host in hosts]
        assert client.ask("echo/x", token, host=evil, body=b"x").status == 403
        for _ in range(2):
            pull(jupyter, allow_remote_access=True)
            assert {client.ask("echo/x", token, host=evil).status for _ in range(BEFORE)} == {200}
            pull(jupyter, allow_remote_access=False)
            assert client.ask("echo/x", token, host=evil).status == 403
            assert client.ask("echo/x", token, host=right).status == 200


@pytest.mark.behaviour("S1")
def test_a_cookie_is_that_of_one_host(jupyter: Jupyter) -> None:
    """Its name holds the Host: the one of ``127.0.0.1`` says nothing at ``localhost``."""
    ann = cookie(jupyter, "ann")
    with Client(jupyter) as client:
        client.warm_up(ann)
        for _ in range(BEFORE):
            for path in ("echo/x", "api/me"):
                assert client.ask(path, ann, host=f"localhost:{jupyter.port}").status == 403
                assert client.ask(path, ann).status == 200


@pytest.mark.behaviour("S2")
def test_the_origin_of_every_handshake_is_looked_at(jupyter: Jupyter) -> None:
    ann = cookie(jupyter, "ann")
    handshake = (
        "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    )  # fmt: skip
    with Client(jupyter) as client:
        client.warm_up(ann)
        for origin, status in (("http://evil.example", 403), ("null", 403), (f"http://127.0.0.1:{jupyter.port}", 101)):
            for fields in ((), (ann,)):
                answer = client.ask("echo/ws", *fields, *handshake, f"Origin: {origin}")
                assert answer.status == (status if fields else 403), (origin, fields)
                if answer.status == 403:
                    assert client.ask("echo/x", ann).status == 200
    token = authorization(jupyter.token)
    with Client(jupyter) as client:
        client.warm_up(ann)
        client.warm_up(token)
        assert client.ask("echo/ws", ann, *handshake, "Origin: http://evil.example").status == 403
        assert (
            client.ask("echo/ws", token, *handshake, "Origin: http://evil.example").status == 101
        )  # as Jupyter has it
