"""The arguments of ``jupyter server-proxy``, and what the shell is told in the end."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from .console import Console
from .failure import ExitCode, Failure

#: The module and the function of each command; they are imported when they are asked for.
_COMMANDS = {
    "list": ("commands", "list_servers"),
    "start": ("commands", "start"),
    "stop": ("commands", "stop"),
    "restart": ("commands", "restart"),
    "logs": ("logs", "show_logs"),
    "open": ("commands", "open_server"),
}

_EXIT_CODES = """
exit codes:
  0    done
  1    it could not be done, or doctor found an error
  2    wrong usage
  3    there is no Jupyter server to ask: none runs, none was chosen of several, it refuses the login,
       or it does not have the extension
  4    there is no server of that name
  130  ended by Ctrl-C
  141  whoever read the results has left

Results are written to stdout, messages to stderr. With --json, stdout has JSON and nothing else; a failure
is then {"error": {"message": ..., "code": <exit code>, ...}}.
"""

_JUPYTER = """\
A running Jupyter server of yours is found by itself. Of several, the one in whose terminal the command runs
is taken, or else the one whose root directory holds the current directory. JUPYTER_TOKEN is used where no
token is known: other users of this machine can see arguments, but not variables.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: the arguments; by default those of the process.

    Returns:
        The exit code.
    """
    parser = make_parser()
    try:
        arguments = parser.parse_args(argv)
        if arguments.command == "stop" and bool(arguments.name) == arguments.all:
            parser.error("stop: name servers, or say --all")
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(ExitCode.USAGE)
    console = Console(arguments.json)
    try:
        return int(_run(console, arguments))
    except Failure as failure:
        _report(console, failure)
        return int(failure.code)
    except KeyboardInterrupt:
        return int(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # Whoever reads the results has seen enough. Python would complain when it flushes them at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.PIPE_CLOSED)


def _run(console: Console, arguments: argparse.Namespace) -> int:
    if arguments.command == "doctor":
        from .doctor import diagnose

        return diagnose(console, arguments)
    from .client import Client
    from .running import choice_of, find_jupyter

    choice = choice_of(arguments.url, arguments.token, arguments.port)
    module, function = _COMMANDS[arguments.command]
    command = getattr(importlib.import_module(f".{module}", __package__), function)
    command(console, lambda: Client(find_jupyter(choice)), arguments)
    return ExitCode.OK


def _report(console: Console, failure: Failure) -> None:
    if console.as_json:
        error = {"message": failure.message, "code": int(failure.code), **failure.details}
        console.print_json({"error": error})
    console.tell(failure.message)
    output = failure.details.get("output") or ()
    if output and not console.as_json:
        console.tell("Its last output:")
        console.tell_output(output)


def make_parser() -> argparse.ArgumentParser:
    """All commands and their arguments."""
    parser = argparse.ArgumentParser(
        prog="jupyter server-proxy",
        description="See and control the servers that Jupyter runs by jupyter-server-proxy.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def add(name: str, help: str, *parents: argparse.ArgumentParser, more: str = "") -> argparse.ArgumentParser:
        return commands.add_parser(
            name, help=help, description=f"{help[0].upper()}{help[1:]}.{more}", parents=parents,
            formatter_class=argparse.RawDescriptionHelpFormatter, epilog=_EXIT_CODES,
        )  # fmt: skip

    json, jupyter = _json_options(), _jupyter_options()
    add("list", "tell the state of all servers", json, jupyter)
    for name, help in (("start", "start a server"), ("restart", "stop a server, and start it again")):
        command = add(name, help, json, jupyter, more=" Waits until it is ready, and tells where it is.")
        command.add_argument("name", metavar="NAME", help="of the server")
        command.add_argument("--no-wait", action="store_true", help="do not wait until it is ready")
    command = add("stop", "stop servers", json, jupyter)
    command.add_argument("name", metavar="NAME", nargs="*", help="of the servers")
    command.add_argument("--all", action="store_true", help="all that run")
    command = add("logs", "show what a server has written", json, jupyter)
    command.add_argument("name", metavar="NAME", help="of the server")
    command.add_argument(
        "-f", "--follow", action="store_true", help="go on until Ctrl-C; with --json, one object in each line"
    )
    command.add_argument(
        "-n", "--lines", type=_line_count, default=200, metavar="N", help="how many lines (200; at most 1000)"
    )
    command = add("open", "open a server in the browser", json, jupyter)
    command.add_argument("name", metavar="NAME", help="of the server")
    command.add_argument("--print", action="store_true", help="print the address, and open nothing")
    command.add_argument("--show-token", action="store_true", help="print the address with the token that logs in")
    command = add("doctor", "check the configuration", json, more=" Needs no running Jupyter, and starts no server.")
    command.add_argument("--config", metavar="FILE", default="", help="as for jupyter lab and jupyter server")
    return parser


def _json_options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--json", action="store_true", help="results as JSON")
    return parser


def _jupyter_options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    group = parser.add_argument_group("which Jupyter server", _JUPYTER)
    group.add_argument("--url", default="", help="its address, such as http://localhost:8888/")
    group.add_argument("--port", type=int, default=0, help="the port on which it listens")
    group.add_argument("--token", default="", help="that logs in")
    return parser


def _line_count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 1000):
        raise argparse.ArgumentTypeError(f"must be a whole number from 0 to 1000, not {text!r}")
    return int(text)


def _version() -> str:
    from .._version import __version__

    return __version__
