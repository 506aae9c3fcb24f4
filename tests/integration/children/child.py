"""A small HTTP server that behaves as its arguments say; it answers every request with its pid.

--port=N | --unix-socket=PATH   where it listens
--started=FILE      append its pid to FILE before it listens
--delay=SECONDS     wait before it listens
--family            start a child and a grandchild that sleep, all in its process group, and write their pids to FILE
--stubborn          ignore SIGTERM, as do its descendants
--elsewhere         listen on another port than it was told
--daemon            leave the work to a process of another session, and exit with status 0
--exit-after=N      end with status 1 soon after N requests
--exit=CODE         write a line, and end with that status before it listens
--say=TEXT          write TEXT to standard output and standard error
"""

from __future__ import annotations

import argparse
import http.server
import os
import signal
import socketserver
import subprocess
import sys
import threading
import time


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with the pid."""

    protocol_version = "HTTP/1.1"
    count = 0
    limit = 0

    def do_GET(self) -> None:
        """Called by the server."""
        body = str(os.getpid()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        Handler.count += 1
        if self.limit and Handler.count >= self.limit:
            threading.Timer(0.1, os._exit, [1]).start()

    def address_string(self) -> str:
        """Unix sockets have no addresses."""
        return "client"


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """HTTP on a unix socket."""

    daemon_threads = True


def arguments() -> argparse.Namespace:
    """The options of the docstring."""
    parser = argparse.ArgumentParser()
    for name in ("port", "exit-after"):
        parser.add_argument(f"--{name}", type=int, default=0)
    for name in ("unix-socket", "started", "say"):
        parser.add_argument(f"--{name}", default="")
    for name in ("family", "stubborn", "elsewhere", "daemon"):
        parser.add_argument(f"--{name}", action="store_true")
    parser.add_argument("--delay", type=float, default=0)
    parser.add_argument("--exit", type=int)
    return parser.parse_args()


def note(path: str, pid: int) -> None:
    """Append a pid to a file, in one write."""
    if path:
        with open(path, "a") as file:
            file.write(f"{pid}\n")


def main() -> None:
    """Do as told."""
    options = arguments()
    if options.stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if options.say:
        print(options.say, flush=True)
        print(options.say, file=sys.stderr, flush=True)
    if options.daemon:
        rest = [argument for argument in sys.argv if argument != "--daemon"]
        subprocess.Popen([sys.executable, *rest], start_new_session=True)
        return
    note(options.started, os.getpid())
    if options.family:
        ignore = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " if options.stubborn else ""
        grandchild = f"{ignore}import time; time.sleep(600)"
        child = (
            f"{ignore}import subprocess, sys, time; p = subprocess.Popen([sys.executable, '-c', {grandchild!r}]); "
            "print(p.pid, flush=True); time.sleep(600)"
        )
        process = subprocess.Popen([sys.executable, "-c", child], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        note(options.started, int(process.stdout.readline()))
        note(options.started, process.pid)
    if options.exit is not None:
        print(f"giving up with {options.exit}", flush=True)
        raise SystemExit(options.exit)
    time.sleep(options.delay)
    Handler.limit = options.exit_after
    if options.unix_socket:
        UnixServer(options.unix_socket, Handler).serve_forever()
    else:
        port = 0 if options.elsewhere else options.port
        http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main()
