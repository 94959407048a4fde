"""Whether requests are signed as AWS wants it (Signature Version 4, service S3), by botocore."""

from __future__ import annotations

import re
from collections.abc import Mapping

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.helpers.s3_server import Answer, Asked, Rule, error

_SIGNED = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^,]*)/\d{8}/(?P<region>[^/,]+)/s3/aws4_request, ?"
    r"SignedHeaders=(?P<headers>[^,]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)


def signed(secrets: Mapping[str, str], rule: Rule) -> Rule:
    """Return a rule that answers as another one, but refuses wrong signatures as S3 does.

    Args:
        secrets: access keys to their secrets; it may change meanwhile.
        rule: for the other requests.
    """

    def checked(asked: Asked) -> Answer:
        match = _SIGNED.fullmatch(asked.headers.get("authorization", ""))
        if match is None:
            return error(403, "AccessDenied")
        if match["key"] not in secrets:
            return error(403, "InvalidAccessKeyId")
        names = match["headers"].split(";")
        amazons = {name for name in asked.headers if name.startswith("x-amz-")}
        url = f"http://{asked.headers['host']}{asked.path}"
        request = AWSRequest(asked.method, url, {name: asked.headers[name] for name in names})
        request.context["timestamp"] = asked.headers["x-amz-date"]
        credentials = Credentials(match["key"], secrets[match["key"]])
        signer = S3SigV4Auth(credentials, "s3", match["region"])
        text = signer.string_to_sign(request, signer.canonical_request(request))
        if amazons <= set(names) and signer.signature(text, request) == match["signature"]:
            return rule(asked)
        return error(403, "SignatureDoesNotMatch")

    return checked
