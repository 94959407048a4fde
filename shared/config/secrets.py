"""Secrets by reference: settings that name an AWS Secrets Manager secret instead of a value.

A setting `NAME` may be given as `NAME_ARN`, the ARN of a secret whose text is the value. If the
secret is a JSON object, `ARN#key` takes one of its fields, so that a pair of keys can be changed in
one step. A composition root calls `resolve` when its process starts: once per cold start, as AWS
advises. A changed secret therefore needs new processes, but for the keys of S3 and the login of
PostgreSQL: they are read again when the server refuses them, see `reread_s3_keys` and `reread`.
"""

from __future__ import annotations

import json
from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace

from shared.aws.secrets_manager import SecretsManager
from shared.config.settings import Settings, environment
from shared.errors import SettingError

SUFFIX = "_ARN"


S3_KEYS = ("AWS_S3_ACCESS_KEY_ID", "AWS_S3_SECRET_ACCESS_KEY")


def resolve(
    variables: Mapping[str, str], fetch: Callable[[str], str] | None = None
) -> Mapping[str, str]:
    """Replace every setting given by reference by its value.

    Args:
        variables: names to texts, such as the process's own environment.
        fetch: returns the text of the secret with an ARN, or raises `SettingError`; by default
            AWS Secrets Manager. It is called once for each ARN.

    Returns:
        The same variables, with `NAME` for each `NAME_ARN` that belongs to a setting.

    Raises:
        SettingError: a secret cannot be read or has another shape, or a setting is given both
            ways; the text names the variable, never a value.
    """
    names = [item.metadata["name"] for item in fields(Settings)]
    return ChainMap(_values(variables, names, fetch or SecretsManager()), dict(variables))


def reread(
    name: str,
    variables: Mapping[str, str] | None = None,
    fetch: Callable[[str], str] | None = None,
) -> str | None:
    """Return a setting that is given by reference as it is now; None if it is not given so.

    Args:
        name: of the setting.
        variables: as of `resolve`; by default the process's own environment.
        fetch: as of `resolve`.

    Raises:
        SettingError: as of `resolve`.
    """
    given = environment() if variables is None else variables
    return _values(given, (name,), fetch or SecretsManager()).get(name)


def reread_s3_keys(
    settings: Settings,
    variables: Mapping[str, str] | None = None,
    fetch: Callable[[str], str] | None = None,
) -> Settings:
    """Return the settings with the S3 keys that are given by reference as they are now.

    Args:
        settings: as they were read.
        variables: as of `resolve`; by default the process's own environment.
        fetch: as of `resolve`.

    Raises:
        SettingError: as of `resolve`.
    """
    given = environment() if variables is None else variables
    now = Settings.from_mapping(_values(given, S3_KEYS, fetch or SecretsManager()))
    return replace(
        settings,
        s3_access_key_id=now.s3_access_key_id or settings.s3_access_key_id,
        s3_secret_access_key=now.s3_secret_access_key or settings.s3_secret_access_key,
    )


def _values(
    variables: Mapping[str, str], names: Iterable[str], fetch: Callable[[str], str]
) -> dict[str, str]:
    """Return the values of those of the settings that are given by reference."""
    texts: dict[str, str] = {}
    values: dict[str, str] = {}
    for name in names:
        variable = f"{name}{SUFFIX}"
        reference = variables.get(variable)
        if not reference:
            continue
        if variables.get(name):
            raise SettingError(f"{name} and {variable} are both set")
        arn, _, key = reference.partition("#")
        try:
            if arn not in texts:
                texts[arn] = fetch(arn)
            values[name] = _field(texts[arn], key) if key else texts[arn]
        except SettingError as error:
            raise SettingError(f"{variable}: {error.about}") from error.__cause__
    return values


def _field(text: str, key: str) -> str:
    try:
        document = json.loads(text)
    except ValueError:
        # The parser's own error contains the secret.
        raise SettingError("the secret is not JSON, yet one of its fields is asked for") from None
    value = document.get(key) if isinstance(document, dict) else None
    if not isinstance(value, str):
        raise SettingError(f"the secret has no text named {key}")
    return value
