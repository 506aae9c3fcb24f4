"""Where a server is reached from outside, as its command, its environment and its process are told."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

#: What the process of every server finds in its environment: the path of its prefix, without a slash at the end, and
#: its URL. Where Jupyter does not know by which name people reach it, the URL is the path alone.
PREFIX_VARIABLE = "JUPYTER_SERVER_PROXY_PREFIX"
URL_VARIABLE = "JUPYTER_SERVER_PROXY_URL"


def place_arguments(base_url: str, prefix: str, origin: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The template arguments that say where a server is reached, and for whom.

    Args:
        base_url: of Jupyter; begins and ends with "/".
        prefix: path of the server; no slash at its end, so that it is empty for a server that has a whole host.
        origin: scheme, host and port by which people reach Jupyter (RFC 6454); empty when they are not known.
        environ: ours; JupyterHub's variables are looked up in it.
    """
    return {
        "base_url": base_url,
        "prefix": prefix,
        "url": f"{origin}{prefix}/",
        "user": environ.get("JUPYTERHUB_USER", ""),
        "server_name": environ.get("JUPYTERHUB_SERVER_NAME", ""),
    }


def public_origin(own_url: str, environ: Mapping[str, str]) -> str:
    """Scheme, host and port by which people reach us (RFC 6454); empty when they are not known.

    Args:
        own_url: where we listen. Behind JupyterHub only its proxy comes there, so JupyterHub has to say it (since 5.0).
        environ: ours.
    """
    behind_hub = environ.get("JUPYTERHUB_SERVICE_PREFIX")
    parts = urlsplit(environ.get("JUPYTERHUB_PUBLIC_URL") or ("" if behind_hub else own_url))
    known = parts.scheme in ("http", "https") and parts.hostname not in (None, "0.0.0.0", "::")
    return f"{parts.scheme}://{parts.netloc}" if known else ""


def place_variables(arguments: Mapping[str, object]) -> dict[str, str]:
    """The same for the environment of the process."""
    return {PREFIX_VARIABLE: str(arguments["prefix"]), URL_VARIABLE: str(arguments["url"])}
