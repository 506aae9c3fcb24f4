"""``make differential``: the same requests through this proxy, version 4.6 and nginx; what differs is printed.

    python tests/differential/run.py [--old PYTHON]     an environment that has version 4.6 already

For each case the table tells what the origin server received, and what the client got. Fields that are bound to differ
(forwarded fields, Host, Via, Date, Server, login cookies, and the ETag that 4.6 gives to everything) are left out.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests" / "integration"), str(ROOT)]

from wire import Backend, Head, Wire  # found by the line above

from bench.rig import Rig, Way  # so is this

OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
IGNORED = (
    "host",
    "via",
    "date",
    "server",
    "connection",
    "forwarded",
    "x-proxycontextpath",
    "keep-alive",
    "user-agent",
    "etag",
)


@dataclass(frozen=True)
class Case:
    """One exchange.

    Args:
        name: for the table.
        target: what follows the prefix.
        method, fields, body: of the request; ``body`` is sent as it is.
        answer: of the origin server; "" closes the connection instead.
    """

    name: str
    target: str = "x"
    method: str = "GET"
    fields: tuple[str, ...] = ()
    body: str = ""
    answer: str = OK


def answered(status: str, *fields: str, body: str = "") -> str:
    """An answer of the origin server."""
    return "\r\n".join([f"HTTP/1.1 {status}", *fields, "", body])


CASES = [
    *(Case(f"target {t}", t) for t in ("a%2Fb", "a//b", "%2e%2e/z", "a/../b", "./a", "%C3%A9", "%FF", "a+b", "a%20b",
                                       "?", "?a=b&&c", "?q=%26", "?a?b", "x;y=1", "~a:@!$'()*,", "a%00b", "%zz")),
    *(Case(f"method {m}", method=m) for m in ("HEAD", "DELETE", "OPTIONS", "PROPFIND", "MKCOL", "QUERY", "what")),
    *(Case(f"{m} with a body", method=m, fields=("Content-Length: 3",), body="abc")
      for m in ("GET", "POST", "PUT", "PATCH", "DELETE", "PROPFIND")),
    Case("chunked request", method="POST", fields=("Transfer-Encoding: chunked",), body="3\r\nabc\r\n0\r\n\r\n"),
    Case("two lengths", method="POST", fields=("Content-Length: 3", "Content-Length: 4"), body="abc"),
    Case("length and coding", method="POST", fields=("Content-Length: 3", "Transfer-Encoding: chunked"),
         body="0\r\n\r\n"),
    Case("unknown coding", method="POST", fields=("Transfer-Encoding: gzip",), body="abc"),
    Case("folded field", fields=("X-A: b", " c")),
    Case("repeated field", fields=("X-A: 1", "X-A: 2")),
    Case("named in Connection", fields=("Connection: X-A", "X-A: 1")),
    Case("hop-by-hop", fields=("TE: trailers", "Proxy-Connection: x", "Keep-Alive: 1")),
    Case("range", fields=("Range: bytes=0-1",), answer=answered("206 Partial Content", "Content-Range: bytes 0-1/9",
                                                                "Content-Length: 2", body="hi")),
    Case("accept-encoding", fields=("Accept-Encoding: gzip",),
         answer=answered("200 OK", "Content-Encoding: gzip", "Content-Length: 3", body="\x1f\x8b\x00")),
    Case("cookies set", answer=answered("200 OK", "Set-Cookie: a=1; Path=/", "Set-Cookie: b=2; Domain=x.example",
                                        "Content-Length: 0")),
    Case("_xsrf set", answer=answered("200 OK", "Set-Cookie: _xsrf=1", "Content-Length: 0")),
    Case("_xsrf sent", fields=("Cookie: a=1; _xsrf=2",)),
    Case("redirect to a path", answer=answered("302 Found", "Location: /a", "Content-Length: 0")),
    Case("redirect elsewhere", answer=answered("302 Found", "Location: //other/a", "Content-Length: 0")),
    Case("redirect relative", answer=answered("302 Found", "Location: a/b", "Content-Length: 0")),
    Case("204", answer=answered("204 No Content")),
    Case("304", fields=('If-None-Match: "e"',), answer=answered("304 Not Modified", 'ETag: "e"')),
    Case("404", answer=answered("404 Not Here", "Content-Length: 2", body="no")),
    Case("503", answer=answered("503 Busy", "Retry-After: 7", "Content-Length: 2", body="no")),
    Case("chunked response", answer=answered("200 OK", "Transfer-Encoding: chunked", body="2\r\nhi\r\n0\r\n\r\n")),
    Case("trailers", answer=answered("200 OK", "Transfer-Encoding: chunked", body="2\r\nhi\r\n0\r\nX-T: 1\r\n\r\n")),
    Case("until the end", answer="HTTP/1.0 200 OK\r\n\r\nhi"),
    Case("103 first", answer=answered("103 Early Hints", "Link: </s>") + OK),
    Case("short body", answer=answered("200 OK", "Content-Length: 9", body="hi")),
    Case("two lengths back", answer=answered("200 OK", "Content-Length: 2", "Content-Length: 3", body="hi!")),
    Case("101 unasked", answer=answered("101 Switching Protocols", "Upgrade: x", "Connection: Upgrade")),
    Case("no answer", answer=""),
    Case("no HTTP", answer="SSH-2.0-x\r\n"),
    Case("websocket refused", fields=("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                                      "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="),
         answer=answered("403 Forbidden", "X-Why: app", "Content-Length: 2", body="no")),
    Case("service worker", answer=answered("200 OK", "Service-Worker-Allowed: /", "Content-Length: 0")),
    Case("expect", method="PUT", fields=("Content-Length: 3", "Expect: 100-continue"), body="abc"),
]  # fmt: skip


class Origin:
    """Answers every connection of a case as the case says, and keeps what it received."""

    def __init__(self) -> None:
        self.backend = Backend()
        self.case = CASES[0]
        self.received: list[str] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                threading.Thread(target=self._converse, args=(self.backend.accept(3600),), daemon=True).start()

    def _converse(self, wire: Wire) -> None:
        with contextlib.suppress(AssertionError, OSError):
            while True:
                head = wire.head()
                body = wire.body(head)
                self.received.append(describe(head, body))
                if self.case.answer:
                    wire.send(self.case.answer.encode("latin-1"))
                if (
                    not self.case.answer
                    or self.case.answer.startswith(("HTTP/1.0", "SSH"))
                    or "short" in self.case.name
                ):
                    break
        wire.close()


def describe(head: Head, body: bytes) -> str:
    """A message in one line."""
    fields = sorted(f"{name.lower()}: {value}" for name, value in head.fields if not ignored(name, value))
    return " | ".join([head.start, *fields, repr(body) if body else ""]).strip(" |")


def ignored(name: str, value: str) -> bool:
    """Whether a field is bound to differ."""
    lower = name.lower()
    if lower == "accept-encoding" and value == "gzip":
        return True  # 4.6 adds it
    return lower in IGNORED or lower.startswith("x-forwarded-") or "username-" in value


def exchange(way: Way, case: Case) -> str:
    """What the client gets."""
    sock = socket.create_connection(("127.0.0.1", way.port), timeout=10)
    wire = Wire(sock)
    login = [f"{name}: {value}" for name, value in way.headers.items()]
    if any(field.startswith("Cookie: ") for field in case.fields):  # one Cookie field, as browsers send it
        own = next(field for field in case.fields if field.startswith("Cookie: "))
        login = [f"{own}; {line.partition(': ')[2]}" for line in login] or [own]
    fields = [field for field in case.fields if not field.startswith("Cookie: ")]
    if not any(field.startswith("Connection:") for field in fields):
        fields.append("Connection: close")
    wire.send(f"{case.method} {way.prefix}/{case.target} HTTP/1.1", f"Host: 127.0.0.1:{way.port}", *login, *fields, "",
              case.body)  # fmt: skip
    try:
        response = wire.response(case.method)
    except (AssertionError, OSError, ValueError, IndexError) as error:
        return f"no response ({type(error).__name__})"
    finally:
        wire.close()
    shown = Head(response.start, [field for field in response.fields if field[0].lower() not in ("content-type",)])
    body = response.body if response.status < 400 or case.answer.encode().endswith(response.body) else b"(its own page)"
    more = "" if response.complete else " INCOMPLETE"
    interim = "".join(f"{head.start} then " for head in response.interim)
    if body == b"(its own page)":
        return interim + response.start
    return interim + describe(shown, body).replace(way.prefix or "\0", "<prefix>") + more


def main() -> None:
    """Run all cases through all ways, and print those that do not come out the same everywhere."""
    parser = argparse.ArgumentParser(description="Compare with 4.6 and nginx.")
    parser.add_argument("--old", metavar="PYTHON")
    rig = Rig(parser.parse_args().old)
    origin = Origin()
    rig.origin = origin.backend.port  # what all ways lead to
    same = 0
    try:
        ways = [way for way in (rig.new(), rig.old(), rig.nginx()) if way is not None]
        for case in CASES:
            origin.case = case
            rows = []
            for way in ways:
                time.sleep(0.1)  # 4.6 asks the origin server of a websocket after it has answered
                origin.received.clear()
                got = exchange(way, case)
                received = origin.received[0].replace(way.prefix or "\0", "<prefix>") if origin.received else "nothing"
                rows.append((way.name.partition(",")[0], received, got, len(origin.received)))
            if len({row[1:] for row in rows}) == 1:
                same += 1
                continue
            print(f"\n{case.name}")
            for name, received, got, count in rows:
                times = f" ({count} times)" if count > 1 else ""
                print(f"  {name:6} received  {received}{times}\n  {'':6} client    {got}", flush=True)
    finally:
        rig.close()
    print(f"\n{len(CASES)} cases, {same} the same through all of {', '.join(way.name for way in ways)}")


if __name__ == "__main__":
    main()
