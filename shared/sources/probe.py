"""Whether an HTTP server answers: for any source, and without its driver."""

from __future__ import annotations

import http.client
import ssl
import urllib.error
import urllib.request
from http import HTTPStatus

from shared.errors import SourceUnavailable
from shared.proxies import PROXY_LOGIN, proxy_for


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Take a redirect for an answer; its target is not asked."""

    def redirect_request(self, *_: object, **__: object) -> None:
        """Follow none."""


def probe(url: str, seconds: float, ca_bundle: str | None = None) -> None:
    """Return once a server has answered a HEAD request with any status below 500.

    A refusal of access is an answer, too: no right on the server is needed.

    Args:
        url: from the settings, http or https.
        seconds: that the server may take, for each step of the exchange.
        ca_bundle: file of the certificates that are trusted; by default those of the system.

    Raises:
        SourceUnavailable: it did not answer, or with an error of its own.
    """
    request = urllib.request.Request(url, method="HEAD")  # noqa: S310 - a setting's, http or https
    proxy = proxy_for(url)
    by_proxy = urllib.request.ProxyHandler({"http": proxy, "https": proxy} if proxy else {})
    try:
        by_tls = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca_bundle))
        opener = urllib.request.build_opener(_NoRedirect, by_proxy, by_tls)
        with opener.open(request, timeout=seconds) as response:
            status = response.status
    except urllib.error.HTTPError as error:
        status = error.code
        error.close()
    except urllib.error.URLError as error:
        raise SourceUnavailable(_shown(error.reason, proxy)) from error
    except (OSError, http.client.HTTPException) as error:
        raise SourceUnavailable(_shown(error, proxy)) from error
    if status == PROXY_LOGIN:
        raise SourceUnavailable("the proxy asks for a login (407)")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise SourceUnavailable(f"it answered {status}")


def _shown(reason: object, proxy: str | None) -> str:
    text = reason.strerror if isinstance(reason, OSError) else None
    shown = (text or str(reason)).lower()
    return f"by the proxy: {shown}" if proxy else shown
