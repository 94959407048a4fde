"""What a person set up, looked at before anything is started."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path

from local.environment import LocalEnvironment
from local.http.listener import Listener
from local.in_subprocess import in_subprocess
from local.servers.s3 import S3_ELSEWHERE
from local.setting_names import misspelled
from shared.aws.s3 import check_s3_settings
from shared.config.admin_password import admin_password_hash
from shared.config.secrets import resolve
from shared.config.settings import Settings
from shared.errors import SettingError

logger = logging.getLogger(__name__)


def check(environment: LocalEnvironment) -> Listener:
    """Make the folders, and read every setting.

    The processes would find most of it themselves, but only after the servers have started, and
    each with a line of its own.

    Returns:
        Where the functions will listen.

    Raises:
        SettingError: the first invalid setting.
    """
    for name, meant in misspelled(environment.given).items():
        logger.warning("a variable looks misspelled", extra={"variable": name, "meant": meant})
    with environment.placing_errors():
        for name, folder in (
            ("DATA_DIR", environment.data_dir),
            ("STORAGE_PATH", environment.storage),
        ):
            _make(folder, name)
        listener = Listener.of(environment)
        _ = environment.tls, environment.s3_port, environment.schedule_seconds, environment.triggers
        settings = check_settings(environment.local_variables())
    if settings.source == "s3" and S3_ELSEWHERE & set(environment.given):
        adopt_sdk_variables(environment)
        in_subprocess(check_s3_settings, settings)
    return listener


def check_settings(variables: Mapping[str, str]) -> Settings:
    """Read the settings of the functions.

    Args:
        variables: the environment of the processes, secrets that are given by reference included.

    Raises:
        SettingError: the first invalid setting.
    """
    settings = Settings.from_mapping(resolve(variables))
    settings.require_long_keys()
    settings.require_callback_secret()
    admin_password_hash(settings)
    return settings


def adopt_sdk_variables(environment: LocalEnvironment) -> None:
    """Make the AWS SDK's variables of `.env` the process's: boto3 reads them only there."""
    sdk = {name: value for name, value in environment.given.items() if name.startswith("AWS_")}
    os.environ.update(sdk)


def _make(folder: Path, name: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingError(f"{name}: {folder} cannot be made: {error.strerror}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SettingError(f"{name}: {folder} cannot be written")
