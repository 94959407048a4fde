"""Secrets by reference: settings that name an AWS Secrets Manager secret instead of a value.

A setting `NAME` may be given as `NAME_ARN`, the ARN of a secret whose text is the value. If the
secret is a JSON object, `ARN#key` takes one of its fields, so that a pair of keys can be changed in
one step. A composition root calls `resolve` when its process starts: once per cold start, as AWS
advises. A changed secret therefore needs new processes.
"""

from __future__ import annotations

import json
from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import fields

from shared.aws.secrets_manager import SecretsManager
from shared.config.settings import Settings
from shared.errors import SettingError

SUFFIX = "_ARN"


def resolve(
    environment: Mapping[str, str], fetch: Callable[[str], str] | None = None
) -> Mapping[str, str]:
    """Replace every setting given by reference by its value.

    Args:
        environment: variable names to texts, such as the process's own.
        fetch: returns the text of the secret with an ARN, or raises `SettingError`; by default
            AWS Secrets Manager. It is called once for each ARN.

    Returns:
        The same variables, with `NAME` for each `NAME_ARN` that belongs to a setting.

    Raises:
        SettingError: a secret cannot be read or has another shape, or a setting is given both
            ways; the text names the variable, never a value.
    """
    fetch = fetch or SecretsManager()
    texts: dict[str, str] = {}
    values: dict[str, str] = {}
    for name in (item.metadata["name"] for item in fields(Settings)):
        variable = f"{name}{SUFFIX}"
        reference = environment.get(variable)
        if not reference:
            continue
        if environment.get(name):
            raise SettingError(f"{name} and {variable} are both set")
        arn, _, key = reference.partition("#")
        try:
            if arn not in texts:
                texts[arn] = fetch(arn)
            values[name] = _field(texts[arn], key) if key else texts[arn]
        except SettingError as error:
            raise SettingError(f"{variable}: {error.about}") from error.__cause__
    return ChainMap(values, dict(environment))


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
