"""The receiver of callbacks: whether there is a secret, and whether its server answers."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from local.doctor.finding import Finding, ok, problem, skipped, warning
from shared.callbacks.receiver import BUNDLES
from shared.config.settings import Settings, environment
from shared.proxies import is_private, proxy_for

CHECK = "callbacks"


def examine(settings: Settings, seconds: float) -> Iterator[Finding]:
    """Yield the findings about the receiver, none if there is none to be told.

    It is connected to, with its certificate verified, and no request is sent: one that is not
    signed would only look like an attack to it.

    Args:
        settings: the receiver's.
        seconds: time limit for the connection.
    """
    if settings.callback_url is None:
        return
    if settings.callback_secret is None:
        detail = "CALLBACK_URL is set without CALLBACK_SECRET"
        yield problem(CHECK, detail, 'make one: echo "whsec_$(openssl rand -base64 24)"')
    parts = urlsplit(settings.callback_url)
    host, tls = parts.hostname or "", parts.scheme.lower() == "https"
    if not tls and not is_private(host):
        yield warning(CHECK, "CALLBACK_URL is not https: anyone on the way reads them", "use https")
    if proxy_for(settings.callback_url):
        yield skipped(CHECK, f"{host} is reached through a proxy")
        return
    try:
        with socket.create_connection((host, parts.port or (443 if tls else 80)), seconds) as plain:
            if tls:
                _trusting().wrap_socket(plain, server_hostname=host).close()
    except OSError as error:  # ssl's errors are OSErrors
        yield problem(CHECK, f"{host}: {error}", "check CALLBACK_URL, the network and the receiver")
    else:
        yield ok(CHECK, f"{host} answers")


def _trusting() -> ssl.SSLContext:
    """Return a context that trusts the certificates that a delivery trusts.

    Raises:
        OSError: the variable that names them leads nowhere.
    """
    trust = next(filter(None, map(environment().get, BUNDLES)), None)
    if trust is not None and Path(trust).is_dir():
        return ssl.create_default_context(capath=trust)
    return ssl.create_default_context(cafile=trust)
