"""TLS towards origin servers: their certificates are checked unless the configuration says otherwise."""

from __future__ import annotations

import functools
import os
import ssl

from ..errors import ServerMisconfigured
from ..rules.spec import TlsSpec
from .address import LOOPBACK


@functools.lru_cache(maxsize=64)
def client_context(spec: TlsSpec) -> ssl.SSLContext:
    """The context for one kind of server; made once, because reading the system's CAs takes milliseconds.

    Raises:
        ServerMisconfigured: a file cannot be read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["http/1.1"])
    if not spec.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        if spec.ca:
            context.load_verify_locations(**{"capath" if os.path.isdir(spec.ca) else "cafile": spec.ca})
        elif spec.verify:
            context.load_default_certs()
        if spec.certificate:
            context.load_cert_chain(spec.certificate, spec.key or None, password=_no_password)
    except (OSError, ValueError) as error:
        raise ServerMisconfigured(
            "The files of the server's option tls cannot be used: ca, certificate and key must be PEM files without a "
            "password.",
            detail=str(error),
        ) from error
    return context


def expected_name(spec: TlsSpec, host: str) -> str:
    """What a server's certificate must name (RFC 9110 4.3.4)."""
    return spec.server_name or ("localhost" if host in LOOPBACK else host)


def _no_password() -> str:
    """Stands in for OpenSSL's question on the terminal, which would stop Jupyter."""
    raise ValueError("the private key has a password")
