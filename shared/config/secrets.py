"""Secrets by reference: settings that name an AWS Secrets Manager secret instead of a value.

A setting `NAME` may be given as `NAME_ARN`, the ARN of a secret whose text is the value. If the
secret is a JSON object, `ARN#key` takes one of its fields, so that a pair of keys can be changed in
one step. All secrets of a process are read together when it starts, and again as
`shared.config.renewal` says.
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

Fetch = Callable[[Iterable[str]], Mapping[str, str | SettingError]]
"""Returns the texts of the secrets with some ARNs, or for each why it cannot be read."""


def resolve(variables: Mapping[str, str], fetch: Fetch | None = None) -> Mapping[str, str]:
    """Replace every setting given by reference by its value.

    Args:
        variables: names to texts, such as the process's own environment.
        fetch: by default AWS Secrets Manager. It is called once, if there are references.

    Returns:
        The same variables, with `NAME` for each `NAME_ARN` that belongs to a setting.

    Raises:
        SettingError: a secret cannot be read or has another shape, or a setting is given both
            ways; the text names the variable, never a value.
        SecretsUnavailable: a `SettingError` that another attempt may not meet.
    """
    return ChainMap(read(references(variables), fetch), dict(variables))


def references(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that are given by reference, by name.

    Raises:
        SettingError: one is given both ways.
    """
    found = {}
    for item in fields(Settings):
        name = item.metadata["name"]
        if reference := variables.get(f"{name}{SUFFIX}"):
            if variables.get(name):
                raise SettingError(f"{name} and {name}{SUFFIX} are both set")
            found[name] = reference
    return found


def read(references: Mapping[str, str], fetch: Fetch | None = None) -> dict[str, str]:
    """Return the values of settings that are given by reference.

    Args:
        references: by name.
        fetch: as of `resolve`.

    Raises:
        SettingError: as of `resolve`.
    """
    arns = {reference.partition("#")[0] for reference in references.values()}
    texts = (fetch or SecretsManager())(sorted(arns)) if arns else {}
    values = {}
    for name, reference in references.items():
        arn, _, key = reference.partition("#")
        try:
            values[name] = _value(texts[arn], key)
        except SettingError as error:
            raise SettingError(f"{name}{SUFFIX}: {error.about}") from error.__cause__
    return values


def reread(
    settings: Settings,
    names: Iterable[str],
    variables: Mapping[str, str] | None = None,
    fetch: Fetch | None = None,
) -> Settings:
    """Return the settings with those that are given by reference as they are now.

    Args:
        settings: as they were read.
        names: of the variables to read again, such as `DATABASE_URL`.
        variables: as of `resolve`; by default the process's own environment.
        fetch: as of `resolve`.

    Raises:
        SettingError: as of `resolve`.
    """
    given = references(environment() if variables is None else variables)
    wanted = {name: given[name] for name in names if name in given}
    now = Settings.from_mapping(read(wanted, fetch))
    changed = {
        item.name: getattr(now, item.name)
        for item in fields(Settings)
        if item.metadata["name"] in wanted
    }
    return replace(settings, **changed)


def _value(text: str | SettingError, key: str) -> str:
    """Return a secret's text, or the field of it that a key names.

    Raises:
        SettingError: it cannot be read, or has no such field.
    """
    if isinstance(text, SettingError):
        raise text
    if not key:
        return text
    try:
        document = json.loads(text)
    except ValueError:
        # The parser's own error contains the secret.
        raise SettingError("the secret is not JSON, yet one of its fields is asked for") from None
    value = document.get(key) if isinstance(document, dict) else None
    if not isinstance(value, str):
        raise SettingError(f"the secret has no text named {key}")
    return value
