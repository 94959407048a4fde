"""The source that the settings choose; only its driver is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.settings import Settings
    from shared.transfer import ObjectSource


def source(settings: Settings) -> ObjectSource:
    """Gives the source that `SOURCE` names.

    Raises:
        SettingError: one of the settings that it needs is missing.
    """
    if settings.source == "nasa":
        from shared.sources.nasa import NasaSource  # noqa: PLC0415

        return NasaSource(settings)
    from shared.sources.s3 import S3Source  # noqa: PLC0415

    return S3Source(settings)
