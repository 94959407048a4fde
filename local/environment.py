"""The environment of a local run: what the user gave, and defaults for what he did not.

The functions read the same variables as on Lambda. Only the defaults made here are local, and
`LOCAL_RUN` marks a process that may use them.
"""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from dotenv import dotenv_values

from local.addresses import LOOPBACK, base_url, is_loopback
from shared.config.secrets import SUFFIX, resolve
from shared.errors import SettingError

PORT = 27000
S3_PORT = 27006
BUCKET = "client-uploads"
SECRET_KEY_BYTES = 32
"""A real key has the strength of the hash behind it, 256 bits."""


@dataclass(frozen=True, slots=True)
class LocalEnvironment:
    """What a person set up here.

    Attributes:
        directory: what a relative path is relative to.
        given: the variables that have a value, from the process and from the file `.env`.
    """

    directory: Path
    given: Mapping[str, str]

    @classmethod
    def load(cls, environment: Mapping[str, str], directory: Path) -> Self:
        """Reads the variables; those of the process beat those of the file `.env`.

        Args:
            environment: the process's variables.
            directory: where `.env` is looked for.
        """
        both = {**dotenv_values(directory / ".env"), **environment}
        return cls(directory, {name: value for name, value in both.items() if value})

    @property
    def host(self) -> str:
        """The address to listen on."""
        return _address(self.given.get("HOST", LOOPBACK), "HOST")

    @property
    def url(self) -> str:
        """Where the service answers, for people and clients on this machine."""
        return base_url(self.host, self.port)

    @property
    def port(self) -> int:
        """Where the functions answer."""
        return _port(self.given.get("PORT", str(PORT)), "PORT")

    @property
    def s3_port(self) -> int:
        """Where the embedded S3 answers."""
        return _port(self.given.get("S3_PORT", str(S3_PORT)), "S3_PORT")

    @property
    def schedule_seconds(self) -> float:
        """Seconds between two runs of what AWS runs every minute."""
        return _seconds(self.given.get("SCHEDULE_SECONDS", "5"), "SCHEDULE_SECONDS")

    @property
    def triggers(self) -> int:
        """Processes of the trigger: while one makes files durable, the other downloads."""
        return self.count("TRIGGERS", 2)

    def count(self, name: str, default: int) -> int:
        """Reads how many processes or threads there are to be.

        Raises:
            SettingError: it is no such number.
        """
        text = self.given.get(name) or str(default)
        if not text.isdecimal() or not 1 <= int(text) <= 64:  # noqa: PLR2004
            raise SettingError(f"{name}: expected a whole number from 1 to 64")
        return int(text)

    @property
    def data_dir(self) -> Path:
        """Everything that a local run keeps; absolute."""
        return (self.directory / self.given.get("DATA_DIR", ".local")).resolve()

    @property
    def storage(self) -> Path:
        """Where the files end; absolute."""
        chosen = self.given.get("STORAGE_PATH")
        return (self.directory / chosen).resolve() if chosen else self.data_dir / "storage"

    def local_variables(self) -> dict[str, str]:
        """Gives the variables of a local run's processes.

        They are the given ones, with local defaults for what is missing: a secret key that is
        made once and kept, a storage folder, a bucket. `LOCAL_RUN` marks processes that nobody
        else can reach, and that may have a default password. Secrets given by reference are
        fetched.

        Raises:
            SettingError: one is wrong, or the key cannot be kept.
        """
        variables = {
            "AWS_S3_BUCKET_NAME": BUCKET,
            **self.given,
            "DATA_DIR": str(self.data_dir),
            "STORAGE_PATH": str(self.storage),
            "PORT": str(self.port),
            "LOCAL_RUN": str(int(is_loopback(self.host))),
        }
        if not {"SECRET_KEY", "SECRET_KEY_ARN"} & set(variables):
            variables["SECRET_KEY"] = kept_secret(self.data_dir / "secret_key")
        known = resolve(variables)
        references = {f"{name}{SUFFIX}" for name in known}
        return {name: known[name] for name in known if name not in references}


def kept_secret(file: Path) -> str:
    """Gives the secret in a file, making it at the first time; only its owner may read it.

    Raises:
        SettingError: the file cannot be made or read.
    """
    try:
        return _kept(file)
    except OSError as error:
        raise SettingError(f"DATA_DIR: {file}: {error.strerror}") from error


def _kept(file: Path) -> str:
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=f"{file.name}.")  # mode 0600
        draft = Path(name)
        with os.fdopen(handle, "w") as draft_file:
            draft_file.write(secrets.token_hex(SECRET_KEY_BYTES))
        # A link, unlike a rename, keeps the secret of the one who came first.
        try:
            file.hardlink_to(draft)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return file.read_text()


def _address(text: str, name: str) -> str:
    if text == "localhost":
        return LOOPBACK
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise SettingError(f"{name}: expected an IP address, such as {LOOPBACK}") from None


def _port(text: str, name: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 0 < int(text) < 2**16:
        raise SettingError(f"{name}: expected a TCP port, 1 to 65535")
    return int(text)


def _seconds(text: str, name: str) -> float:
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,3})?", text) or not float(text):
        raise SettingError(f"{name}: expected seconds, such as 5 or 0.5")
    return float(text)
