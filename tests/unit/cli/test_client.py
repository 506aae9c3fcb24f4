"""What answers of Jupyter mean to a command."""

from __future__ import annotations

import io
import json
import ssl
from email.message import Message
from typing import Any

import pytest

from jupyter_server_proxy.cli.client import Client, parse_events
from jupyter_server_proxy.cli.failure import ExitCode, Failure
from jupyter_server_proxy.cli.running import RunningJupyter

SERVERS = {"servers": [{"name": "app"}, {"name": "team/app"}]}


class Answer(io.BytesIO):
    """A response with a body."""

    def __init__(self, status: int, content: Any = "", cookies: tuple[str, ...] = ()) -> None:
        super().__init__((content if isinstance(content, str) else json.dumps(content)).encode())
        self.status = status
        self.headers = Message()
        for cookie in cookies:
            self.headers["Set-Cookie"] = cookie


class FakeConnection:
    """Gives the answers of a script, and keeps the requests."""

    def __init__(self, *answers: Answer | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[str, str, dict[str, str]]] = []

    def request(self, method: str, target: str, body: bytes | None, headers: dict[str, str]) -> None:
        assert (body is not None) is (method == "POST")
        self.requests.append((method, target, headers))

    def getresponse(self) -> Answer:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        pass


def client_of(
    monkeypatch: pytest.MonkeyPatch, *answers: Answer | Exception, token: str = "t0ken"
) -> tuple[Client, FakeConnection]:
    connection = FakeConnection(*answers)
    client = Client(RunningJupyter("http://localhost:8888/base/", "/base/", token))
    monkeypatch.setattr(client, "_connect", lambda timeout: connection)
    return client, connection


def failure_of(monkeypatch: pytest.MonkeyPatch, *answers: Answer | Exception, token: str = "t0ken") -> Failure:
    client, _ = client_of(monkeypatch, *answers, token=token)
    with pytest.raises(Failure) as raised:
        client.act("app", "start")
    assert not client._connect(None).answers, "every answer was asked for"  # type: ignore[attr-defined]
    assert "t0ken" not in raised.value.message
    return raised.value


def test_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    client, connection = client_of(monkeypatch, Answer(200, {"name": "team/a b"}))
    assert client.act("team/a b", "start", wait=True) == {"name": "team/a b"}
    ((method, target, headers),) = connection.requests
    assert (method, target) == ("POST", "/base/server-proxy/api/servers/team/a%20b/start?wait=1")
    assert headers["Authorization"] == "token t0ken"
    assert "Cookie" not in headers


def test_without_a_token_the_xsrf_cookie_is_sent_back(monkeypatch: pytest.MonkeyPatch) -> None:
    cookies = ("_xsrf=2|abc; Path=/base/", "username-x=y; HttpOnly")
    client, connection = client_of(monkeypatch, Answer(200, SERVERS, cookies), Answer(200, {}), token="")
    client.act("app", "stop")
    assert [method for method, _, _ in connection.requests] == ["GET", "POST"]
    headers = connection.requests[1][2]
    assert headers["Cookie"] == "_xsrf=2|abc; username-x=y"
    assert headers["X-XSRFToken"] == "2|abc"
    assert "Authorization" not in headers


def test_names_are_known_or_close(monkeypatch: pytest.MonkeyPatch) -> None:
    client, _ = client_of(monkeypatch, Answer(200, SERVERS))
    assert client.find("team/app", "app") == [{"name": "team/app"}, {"name": "app"}]
    for name, hint in (("ap", "Did you mean 'app'?"), ("zzz", "There are: app, team/app.")):
        client, _ = client_of(monkeypatch, Answer(200, SERVERS))
        with pytest.raises(Failure, match=hint.replace("?", "\\?")) as raised:
            client.find("app", name)
        assert raised.value.code is ExitCode.UNKNOWN_SERVER


def test_what_the_api_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = {"message": "It ended.", "reason": None, "exit_code": 3, "output": ["bye"]}
    failure = failure_of(monkeypatch, Answer(503, failed))
    assert (failure.code, failure.message) == (ExitCode.FAILED, "It ended.")
    assert failure.details == {"exit_code": 3, "output": ["bye"]}
    assert failure_of(monkeypatch, Answer(409, {"message": "Not ours."})).code is ExitCode.FAILED
    unknown = {"message": "There is no server 'app'.", "reason": None}
    assert failure_of(monkeypatch, Answer(404, unknown)).code is ExitCode.UNKNOWN_SERVER


@pytest.mark.parametrize("status", [302, 401, 403])
def test_a_login_that_is_refused(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    failure = failure_of(monkeypatch, Answer(status), Answer(403))
    assert (failure.code, "does not accept the token" in failure.message) == (ExitCode.NO_JUPYTER, True)


def test_a_login_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    failure = failure_of(monkeypatch, Answer(403), Answer(403), Answer(403), token="")
    assert (failure.code, "asks for a login" in failure.message) == (ExitCode.NO_JUPYTER, True)


def test_what_is_not_permitted(monkeypatch: pytest.MonkeyPatch) -> None:
    failure = failure_of(monkeypatch, Answer(403, {"message": "Forbidden"}), Answer(200, {}))
    assert (failure.code, "does not permit" in failure.message) == (ExitCode.FAILED, True)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(404, "<html>"),
        Answer(404, {"message": "Not Found"}),
        Answer(200, "<html>"),
        Answer(200, [1]),
        Answer(500),
    ],
    ids=["page", "json", "other", "list", "error"],
)
def test_what_is_not_ours(answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    failure = failure_of(monkeypatch, answer)
    assert (failure.code, "doctor" in failure.message) == (ExitCode.NO_JUPYTER, True)


def test_other_json_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    client, _ = client_of(monkeypatch, Answer(200, {"servers": "many"}))
    with pytest.raises(Failure, match="no jupyter-server-proxy"):
        client.servers()


@pytest.mark.parametrize("error", [ConnectionRefusedError(111, "Connection refused"), TimeoutError("timed out")])
def test_nobody_answers(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    failure = failure_of(monkeypatch, error)
    assert failure.code is ExitCode.NO_JUPYTER
    assert failure.message.startswith("Jupyter at http://localhost:8888/base/ does not answer: ")


def test_a_certificate_that_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    error = ssl.SSLCertVerificationError(1, "failed")
    error.verify_message = "self-signed certificate"
    failure = failure_of(monkeypatch, error)
    assert failure.code is ExitCode.NO_JUPYTER
    assert "is not trusted: self-signed certificate" in failure.message


def test_events(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        ': keep-alive\n\nevent: line\ndata: {"number": 1}\n\n'
        'event: state\r\ndata: {"a":\r\ndata: 2}\r\n\r\nevent: gap\ndata: {'
    )
    client, connection = client_of(monkeypatch, Answer(200, text))
    assert list(client.follow("app", 5)) == [("line", {"number": 1}), ("state", {"a": 2})]
    assert connection.requests[0][1] == "/base/server-proxy/api/servers/app/logs?tail=5&follow=1"
    assert list(parse_events(iter([b"data: {}\n", b"\n"]))) == [("message", {})]


def test_events_that_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    client, _ = client_of(monkeypatch, Answer(503, {"message": "Too many."}))
    with pytest.raises(Failure, match="Too many"):
        list(client.follow("app", 5))
