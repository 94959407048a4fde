"""Where one object is, and what the requests for it are signed with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Signing:
    """Credentials of this moment for AWS Signature Version 4, service S3."""

    region: str
    access_key: str
    secret_key: str
    token: str | None

    def __repr__(self) -> str:
        """Names the region only: the rest is secret."""
        return f"Signing(region={self.region!r})"


@dataclass(frozen=True, slots=True)
class Aim:
    """Where one object is.

    Attributes:
        url: of the object.
        signing: of its requests.
        trust: whose certificates are believed: True for those that the system believes, a file of
            certificates (`AWS_CA_BUNDLE`), or False for any.
    """

    url: str
    signing: Signing
    trust: bool | str = True
