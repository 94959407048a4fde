"""Whether the server that objects come from is within reach, asked without any right on it."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable

from functions.admin.dashboard.health import PROBE_SECONDS
from functions.admin.errors import NoAnswer
from shared.config.settings import Settings

LOCALSTACK_PORT = 4566
"""LocalStack's own port, where its host is given without one."""

BROKEN = 500


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer; where it leads is not asked."""

    def redirect_request(self, *_: object, **__: object) -> None:
        """Follows none."""


_OPENER = urllib.request.build_opener(_NoRedirect)


def source_server(settings: Settings) -> tuple[str, str] | None:
    """Gives name and address of the server that objects come from; None where it is not told.

    =======================================  ==========================================
    settings                                 address
    =======================================  ==========================================
    SOURCE=nasa                              NASA_API_URL
    AWS_ENDPOINT_URL_S3                      the same
    LOCALSTACK_HOST=host                     http://host:4566
    bucket alone, region eu-west-1           https://s3.eu-west-1.amazonaws.com
    bucket alone, no region                  https://s3.amazonaws.com
    no bucket (the admin on Lambda)          None
    =======================================  ==========================================
    """
    if settings.source == "nasa":
        return "NASA", settings.nasa_api_url
    if settings.s3_endpoint:
        return "S3", settings.s3_endpoint
    if settings.bucket is None:
        return None
    if host := settings.localstack_host:
        return "S3", f"http://{host}" if ":" in host else f"http://{host}:{LOCALSTACK_PORT}"
    region = settings.s3_region
    suffix = ".cn" if region and region.startswith("cn-") else ""
    return "S3", f"https://s3.{region + '.' if region else ''}amazonaws.com{suffix}"


def reaches(url: str) -> Callable[[], str]:
    """Gives what asks an HTTP server; whatever it answers short of an error of its own will do.

    Raises:
        NoAnswer: from what is given: it did not answer, or that it is broken.
    """
    asked = urllib.request.Request(url, method="HEAD")  # from the settings, http(s)  # noqa: S310

    def ask() -> str:
        try:
            with _OPENER.open(asked, timeout=PROBE_SECONDS) as answer:
                status = answer.status
        except urllib.error.HTTPError as error:
            status = error.code
            error.close()
        except urllib.error.URLError as error:
            raise NoAnswer(str(error.reason)) from error
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswer(str(error)) from error
        if status >= BROKEN:
            raise NoAnswer(f"status {status}")
        return "Answers"

    return ask
