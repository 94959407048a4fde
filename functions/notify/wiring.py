"""Composition root of notify: built once per process, kept while its environment is warm."""

from __future__ import annotations

import random
from functools import partial

from functions.notify.service import Notify
from shared import adapters
from shared.callbacks.message import Signer
from shared.callbacks.receiver import Receiver
from shared.config.process_cache import once_per_process
from shared.config.settings import needed
from shared.config.shutdown import close_at_exit
from shared.config.startup import settings


@once_per_process
def notify() -> Notify:
    """Return this process's service.

    Raises:
        SettingError: a setting is missing or invalid.
    """
    ours = settings()
    url = needed(ours.callback_url, "CALLBACK_URL")
    signer = Signer(ours.callback_secrets)
    ledger = adapters.ledger(ours, "notify")
    close_at_exit(ledger.close)
    return Notify(ledger, partial(Receiver, url), signer, jitter=random.Random().random)
