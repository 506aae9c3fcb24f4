"""Old import path of the handlers that packages subclass; see ``compat``."""

from jupyter_server.utils import url_path_join

from .compat.proxy import AddSlashHandler, LocalProxyHandler, ProxyHandler, RemoteProxyHandler
from .compat.routes import setup_handlers
from .compat.supervised import NamedLocalProxyHandler, SuperviseAndProxyHandler
from .rules.rewrite import RewritableResponse
from .rules.template import call_with_asked_args
from .unixsock import UnixResolver

__all__ = [
    "AddSlashHandler",
    "LocalProxyHandler",
    "NamedLocalProxyHandler",
    "ProxyHandler",
    "RemoteProxyHandler",
    "RewritableResponse",
    "SuperviseAndProxyHandler",
    "UnixResolver",
    "call_with_asked_args",
    "setup_handlers",
    "url_path_join",
]
