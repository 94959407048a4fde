"""What the receiver is sent: body and headers, as Standard Webhooks has them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from standardwebhooks import Webhook

from shared.ledger.callbacks import CallbackClaim

USER_AGENT = "external-storage-sync"


@dataclass(frozen=True, slots=True)
class Message:
    """One request to the receiver.

    Attributes:
        body: a JSON document.
        headers: lines of "name: value".
    """

    body: bytes
    headers: tuple[str, ...]


class Signer:
    """Makes signed messages of callbacks.

    Args:
        secrets: what they are signed with, the current one first. While secrets rotate there are
            two, and a message has the signatures of both.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        self._webhooks = [Webhook(secret) for secret in secrets]

    def message(self, claim: CallbackClaim, now: datetime) -> Message:
        """Return the message of one attempt.

        Args:
            claim: the callback.
            now: the time of the attempt (aware): receivers refuse what is minutes old.
        """
        text = body(claim)
        moment = now.astimezone(UTC)
        signatures = " ".join(hook.sign(claim.message_id, moment, text) for hook in self._webhooks)
        return Message(
            text.encode(),
            (
                "content-type: application/json",
                f"user-agent: {USER_AGENT}",
                f"webhook-id: {claim.message_id}",
                f"webhook-timestamp: {int(moment.timestamp())}",
                f"webhook-signature: {signatures}",
            ),
        )


def body(claim: CallbackClaim) -> str:
    """Return the body; the data's own text stays as it was recorded, so that replays are equal."""
    created_at = claim.created_at.astimezone(UTC).isoformat(timespec="microseconds")
    timestamp = created_at.replace("+00:00", "Z")
    return (
        f'{{"type": {json.dumps(claim.event)}, "timestamp": "{timestamp}", "data": {claim.data}}}'
    )
