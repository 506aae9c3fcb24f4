"""The configuration as people write it: traitlets, their help, and their validation.

``rules/options.py`` says what each option may be; here the options get their help and their defaults, and messages get
the name of the server. ``ServerProcess.spec()`` turns the result into the frozen data that the rest of the package
reads.

One wrong server leaves the others working: it is skipped with one warning that names the option and the remedy. Unknown
keys only warn. Dictionaries that are passed in stay as they are: packages share one between several servers.

Importing this module stays cheap: traitlets and the standard library, neither tornado nor jupyter_server.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from textwrap import dedent, indent
from typing import Any

import traitlets
from traitlets import TraitError

from .errors import ConfigurationError
from .launcher import LauncherEntry, LauncherOption
from .lifecycle import Lifecycle
from .option import Log, Option, default_log, known_keys, option_names
from .protection import Protection
from .rules import options
from .rules.presets import PRESETS, complete_command, complete_environment
from .rules.spec import LauncherSpec, ServerSpec


class ServerProcess(Lifecycle):
    """One server that is reached at ``<base URL>/<name>/``.

    Args:
        given: the traits below by name. Unknown ones are left out with a warning.

    Raises:
        OptionError: an option has a wrong value.
    """

    name = Option(
        options.name,
        "",
        """
        The name of the server and the first part of its URLs. It consists of characters that need no percent-encoding
        (letters, digits, "-", "_", "." and the like) and may have inner slashes. It must not begin with "proxy" or
        "server-proxy" as a part of its own. Default: the key in ServerProxy.servers, or the name of the entry point.
        """,
    )
    command = Option(
        options.command,
        [],
        """
        The command that starts the server, as a list of words. In each word these are filled in: {port}, the port to
        listen on (0 when a unix socket is used); {unix_socket}, the path of the socket to listen on (empty when a port
        is used); {base_url}, the base URL of Jupyter, such as /user/ann/; {prefix}, the path of the server without a
        slash at its end, such as /user/ann/app; {url}, its URL, or its path where Jupyter does not know by which name
        it is reached; and under JupyterHub {user} and {server_name}, the name of the user and of the named server,
        which are empty elsewhere and for the default server. Write {{ and }} for braces.

        Or a callable that returns such a list. It is given those of the arguments port, unix_socket, base_url, prefix,
        url, user and server_name that it declares.

        Without a command, or with an empty one, the server is not started by us: it listens on the given port or
        unix_socket already. Default: none.
        """,
    )
    preset = Option(
        options.preset,
        "",
        """
        The framework that the server is made with: "streamlit", "gradio", "dash", "bokeh", "panel", "uvicorn",
        "fastapi", "gunicorn", "mlflow", "tensorboard", "voila" or "shiny". The command and the environment are then
        completed by what this framework needs to listen on the given port and to find itself under its prefix, and
        absolute_url, readiness and timeout get values that fit. Arguments that the command has, variables that
        environment sets, and options that are given stay as they are. Default: none.
        """,
    )
    environment = Option(
        options.environment,
        {},
        """
        Environment variables for the command, on top of Jupyter's own: a dictionary of strings, in which {port} and the
        like are filled in, or a callable that returns one (as for command). A variable whose value is None is not set.
        Every command also finds JUPYTER_SERVER_PROXY_PREFIX and JUPYTER_SERVER_PROXY_URL in its environment, the values
        of {prefix} and {url}. Default: none.
        """,
    )
    timeout = Option(
        options.timeout,
        5.0,
        """
        Seconds until the started server must answer; ServerProxy.start_timeout may give it more. Default: 5.
        """,
    )
    absolute_url = Option(
        options.boolean,
        False,
        """
        Whether the server is sent the whole path that the browser requested, /<base URL>/<name>/page, instead of /page
        alone. For servers that have to be told the prefix they run under. Default: False.
        """,
    )
    port = Option(
        options.port, 0, "The TCP port on which the server listens, up to 65535. Default: 0, which picks a free one."
    )
    unix_socket = Option(
        options.unix_socket,
        None,
        """
        Use a unix socket instead of a TCP port; port is then ignored. True: a socket in a directory that only this user
        can enter. A string or pathlib.Path: that path, at most 107 bytes. Default: None, a TCP port.
        """,
    )
    mappath = Option(
        options.mappath,
        {},
        """
        Which path is requested from the server: a dictionary of paths by requested paths (paths that it does not hold
        stay as they are), or a callable that takes path and returns the path to request. Either may add a query.
        Default: paths stay as they are.
        """,
    )
    launcher_entry = LauncherOption(
        lambda value: value,
        None,
        """
        The entry in the launchers: a LauncherEntry, or a dictionary of enabled (True), icon_path (the full path of an
        SVG file), title (the name of the server), path_info (the name and a slash; may have a query) and category
        ("Notebook"). The defaults are given in parentheses. Or a list of such entries.
        """,
    )
    new_browser_tab = Option(
        options.boolean,
        True,
        """
        Whether JupyterLab opens the server in a new tab of the browser, rather than in a tab of its own. The latter
        needs a server whose pages may be framed by pages of the same origin. Default: True.
        """,
    )
    request_headers_override = Option(
        options.request_headers_override,
        {},
        """
        Header fields to set on every request to the server; they replace all others of the same name. A dictionary of
        strings, in which {port}, {unix_socket} and {base_url} are filled in, or a callable that returns one (as for
        command). Default: none.
        """,
    )
    rewrite_response = Option(
        options.rewrite_response,
        (),
        """
        A function that changes responses, or a list or tuple of functions that are applied in this order. Each is given
        those of these arguments that it declares: response, to whose attributes code, reason, headers and body (bytes)
        it assigns; request; orig_response, what the server sent; and host, port and path as in
        /proxy/<host>:<port><path>. What it returns is ignored. For example:

            def rename(response, path):
                if path.endswith(".html"):
                    response.body = response.body.replace(b"Untitled", b"Report")

        Such responses are held back until they are complete. Default: responses are not changed.
        """,
    )
    update_last_activity = Option(
        options.update_last_activity,
        True,
        """
        Whether requests to this server count as activity of Jupyter, which keeps it from being stopped as idle. True,
        False, or a callable that is given the request and returns one of them. Default: True.
        """,
    )
    exclude_last_activity_patterns = Option(
        options.exclude_last_activity_patterns,
        [],
        """
        Requests that do not count as activity where update_last_activity is True, such as the polling of an open page:
        a list of regular expressions, as strings or compiled. They are matched from the start of the full path, base
        URL and name included, without the query. Default: none.
        """,
    )
    tls = Option(
        options.tls,
        None,
        """
        Whether the server speaks HTTPS. True: its certificate must be signed by a CA that the system trusts, and name
        localhost. A dictionary can hold: ca, the file or directory of the trusted CAs (PEM); verify, False to accept
        any certificate; server_name, what the certificate must name; certificate and key, files of a client certificate
        to show (PEM, without a password). Default: None, plain HTTP.
        """,
    )
    forward_credentials = Option(
        options.optional_boolean,
        None,
        """
        Whether the server gets the credentials that log people in to Jupyter; see ServerProxy.forward_credentials,
        which is the default.
        """,
    )
    identity_headers = Option(
        options.boolean,
        False,
        """
        Whether each request tells the server who sent it, in the fields X-Jupyter-User, X-Jupyter-Groups and
        X-Jupyter-Scopes; the latter two are lists, and empty without JupyterHub. In names, everything but visible ASCII
        characters is percent-encoded, and commas are. Fields of these names never pass from clients. Default: False.
        """,
    )
    scope_cookies = Option(
        options.boolean,
        False,
        """
        Whether the cookies that the server sets are limited to its own URLs, by their Path, so that other servers and
        Jupyter do not get them. Default: False.
        """,
    )
    sandbox = Option(
        options.sandbox,
        "",
        """
        Keep the server's pages apart from Jupyter's, although both have one origin, by the directive sandbox of a
        Content-Security-Policy. True: pages may run scripts, send forms, open windows and dialogs, and download; they
        get no cookies, no storage, and no access to Jupyter. A string: other flags of that directive.
        Default: False.
        """,
    )
    refuse_cross_site = Option(
        options.optional_boolean,
        None,
        "Whether requests of other sites' pages are refused; see ServerProxy.refuse_cross_site, which is the default.",
    )
    response_timeout = Option(
        options.optional_seconds,
        None,
        "Seconds until a response must begin; see ServerProxy.response_timeout, which is the default.",
    )
    raw_socket_proxy = Option(
        options.boolean,
        False,
        """
        Whether the server speaks a protocol of its own instead of HTTP. The messages of a websocket are then passed as
        plain bytes to its port or unix socket and back; other requests are refused with status 405. Default: False.
        """,
    )

    def __init__(self, **given: Any) -> None:
        known = known_keys(given, self.trait_names(), f"server {given.get('name', '')!r}", default_log())
        # The name first: the checks of the others speak of it.
        first = {"name": known.pop("name")} if "name" in known else {}
        preset = PRESETS.get(known.get("preset") or "") if isinstance(known.get("preset"), str) else None
        super().__init__(**first, **{**(preset.options if preset else {}), **known})

    @property
    def launcher_entries(self) -> tuple[LauncherEntry, ...]:
        """All entries; the first is ``launcher_entry``."""
        return (self.launcher_entry, *self.launcher_entry.others)

    def make_proxy_handler(self) -> tuple[Any, dict[str, Any]]:
        """A Tornado handler for the server, and its route kwargs. Asked only of subclasses that override it.

        What is not overridden is served without handlers, see ``web.gateway``.
        """
        return _load("compat.supervised").proxy_handler_of(self)  # type: ignore[no-any-return]

    def spec(self) -> ServerSpec:
        """What is configured now, as frozen data.

        Raises:
            ConfigurationError: the name is missing, or a server without a command has neither port nor unix socket.
        """
        if not self.name:
            raise ConfigurationError("a server has no name; give it one by the option 'name'")
        if not self.command and not self.port and not isinstance(self.unix_socket, str):
            raise ConfigurationError(
                f"server {self.name!r}: nothing tells how to reach it; set 'command' to start it, or 'port' or "
                "'unix_socket' (a path) where it listens already"
            )
        unix_socket = self.unix_socket
        entry = self.launcher_entry
        if self.tls and self.unix_socket:
            raise ConfigurationError(f"server {self.name!r}: 'tls' is for TCP ports; leave it away with 'unix_socket'")
        command, environment = self._completed()
        return ServerSpec(
            name=self.name,
            command=command if callable(command) else tuple(command),
            environment=_frozen(environment),
            timeout=self.timeout,
            absolute_url=self.absolute_url,
            port=self.port,
            unix_socket=os.path.abspath(unix_socket) if isinstance(unix_socket, str) else unix_socket,
            mappath=_frozen(self.mappath),
            launcher=LauncherSpec(
                enabled=entry.enabled,
                icon_path=entry.icon_path,
                title=entry.title or self.name,
                path_info=entry.path_info or self.name + "/",
                category=entry.category,
            ),
            new_browser_tab=self.new_browser_tab,
            request_headers_override=_frozen(self.request_headers_override),
            rewrite_response=self.rewrite_response,
            update_last_activity=self.update_last_activity,
            exclude_last_activity_patterns=tuple(self.exclude_last_activity_patterns),
            raw_socket_proxy=self.raw_socket_proxy,
            tls=self.tls,
            forward_credentials=self.forward_credentials,
            identity_headers=self.identity_headers,
            scope_cookies=self.scope_cookies,
            sandbox=self.sandbox,
            refuse_cross_site=self.refuse_cross_site,
            response_timeout=self.response_timeout,
            lifecycle=self.lifecycle(),
        )

    def _completed(self) -> tuple[Any, Any]:
        """Command and environment, with what the preset adds."""
        if not self.preset:
            return self.command, self.environment
        preset, socket = PRESETS[self.preset], bool(self.unix_socket)
        if socket and preset.socket_arguments is None:
            raise ConfigurationError(
                f"server {self.name!r}: preset {self.preset!r} is for TCP ports; leave 'unix_socket' or 'preset' away"
            )
        return complete_command(self.command, preset, socket=socket), complete_environment(self.environment, preset)


def has_own_handler(process: ServerProcess) -> bool:
    """Whether a subclass says by which Tornado handler the server is served."""
    return type(process).make_proxy_handler is not ServerProcess.make_proxy_handler


def make_handlers(base_url: str, server_processes: Sequence[ServerProcess]) -> list[tuple[Any, ...]]:
    """The routes of servers, for a Tornado application that is not Jupyter's; see ``compat.routes``.

    Args:
        base_url: of the application.
        server_processes: their ``make_proxy_handler`` says which handlers they get.
    """
    if not server_processes:
        return []  # Jupyter's start asks for those of subclasses, of which there are hardly ever any
    return _load("compat.routes").make_handlers(base_url, server_processes)  # type: ignore[no-any-return]


def _load(module: str) -> Any:
    """A module that stands above this one, and that few ask for."""
    import importlib

    return importlib.import_module(f".{module}", __package__)


def make_server_process(
    name: str, options: Mapping[str, Any] | ServerProcess, *, log: Log | None = None
) -> ServerProcess:
    """One server of what was configured for it.

    Args:
        name: the name, unless ``options`` has one.
        options: the options by name, or a finished ServerProcess, which is taken as it is, and named if it has no name.
        log: for warnings about unknown keys and a missing icon; by default that of the running Jupyter application.

    Raises:
        ConfigurationError: the options are wrong, or do not suffice to reach the server.
    """
    log = log or default_log()
    if isinstance(options, ServerProcess):
        server = options
    elif isinstance(options, Mapping):
        server = _build(name, options, log)
    else:
        raise ConfigurationError(
            f"server {name!r}: its configuration must be a dictionary or a ServerProcess, "
            f"got a value of type {type(options).__name__}"
        )
    if not server.name:
        try:
            server.name = name
        except TraitError as error:
            raise _as_configuration_error(name, error) from error
    if not _makes_its_own_handler(server):
        server.spec()
        for entry in server.launcher_entries:
            if entry.icon_path and not os.path.isfile(entry.icon_path):
                missing = f"there is no file {entry.icon_path!r}"
                log.warning("server %r: option 'launcher_entry.icon_path': %s", server.name, missing)
    return server


def _build(name: str, options: Mapping[str, Any], log: Log) -> ServerProcess:
    label = str(options.get("name", name))
    known = known_keys(options, option_names(ServerProcess), f"server {label!r}", log)
    entry = known.get("launcher_entry")
    if isinstance(entry, Mapping):
        where = f"server {label!r}: option 'launcher_entry'"
        known["launcher_entry"] = known_keys(entry, option_names(LauncherEntry), where, log)
    try:
        return ServerProcess(**{"name": name, **known})
    except TraitError as error:
        raise _as_configuration_error(label, error) from error


def _as_configuration_error(name: str, error: TraitError) -> ConfigurationError:
    return error if isinstance(error, ConfigurationError) else ConfigurationError(f"server {name!r}: {error}")


def _makes_its_own_handler(server: ServerProcess) -> bool:
    # A subclass that makes its own handler need not say how its server is reached.
    own = getattr(type(server), "make_proxy_handler", None)
    return own is not getattr(ServerProcess, "make_proxy_handler", None)


def _servers_help() -> str:
    parts = [
        f"{name}\n{indent(str(trait.help), '    ')}"
        for name, trait in ServerProcess.class_traits().items()
        if isinstance(trait, Option)
    ]
    introduction = """
        The servers to start and to proxy: a dictionary that maps the name of each to a dictionary of its options, or to
        a ServerProcess. A server is reached at <base URL>/<name>/ and is started by the first request. One whose
        options are wrong is skipped with a warning; the others work. These are the options:
        """
    return dedent(introduction).strip() + "\n\n" + "\n\n".join(parts)


class ServerProxy(Protection):
    """Run web applications next to Jupyter and reach them behind its login."""

    servers = traitlets.Dict(key_trait=None, help=_servers_help()).tag(config=True)

    @traitlets.validate("servers")
    def _validate_servers(self, proposal: Any) -> dict[str, ServerProcess]:
        log = self._log()
        servers: dict[str, ServerProcess] = {}
        for name, configured in proposal["value"].items():
            try:
                servers[name] = make_server_process(name, configured, log=log)
            except Exception as error:
                # Whatever is wrong with one server (a subclass may raise anything) must not take the others down.
                log.warning("%s; this server is skipped", describe_failure(name, error))
        return servers

    non_service_rewrite_response = Option(
        options.rewrite_response,
        (),
        """
        A function that changes the responses of /proxy/<port>/ and /proxy/<host>:<port>/, or a list or tuple of such
        functions; see rewrite_response in the help of ServerProxy.servers. Default: responses are not changed.
        """,
        config=True,
    )

    def _log(self) -> Log:
        log: Log | None = getattr(self.parent, "log", None)
        return log or default_log()


def describe_failure(name: object, error: BaseException) -> str:
    """Half a sentence that names the server and what is wrong with it."""
    if isinstance(error, ConfigurationError):
        return str(error)
    return f"server {name!r}: {type(error).__name__}: {error}"


def _frozen(value: Any) -> Any:
    """A copy of a dictionary, so that the trait can change without changing what was read from it."""
    return dict(value) if isinstance(value, Mapping) else value
