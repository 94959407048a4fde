"""The environment of a local run: what the user gave, and defaults for what he did not.

The functions read the same variables as on Lambda. Only the defaults made here are local, and
`LOCAL_RUN` marks a process that may use them.
"""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from dotenv import dotenv_values

from shared.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PORT = 27000
S3_PORT = 27006
BUCKET = "client-uploads"
#: A real key has the strength of the hash behind it, 256 bits.
SECRET_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class LocalEnvironment:
    """Where a local run lives, and the variables that its processes get.

    Attributes:
        port: where the functions answer.
        data_dir: everything that a local run keeps, absolute.
        schedule_seconds: pause between two runs of requeue.
        variables: the whole environment for the processes; the servers that a run starts itself
            are not in it yet.
    """

    port: int
    data_dir: Path
    schedule_seconds: float
    variables: Mapping[str, str]

    @classmethod
    def load(cls, environment: Mapping[str, str], directory: Path) -> Self:
        """Reads the variables; those of the process beat those of the file `.env`.

        Args:
            environment: the process's variables.
            directory: where `.env` is looked for, and what a relative path is relative to.

        Raises:
            SettingError: a variable is wrong.
        """
        given = {
            name: value
            for name, value in {**dotenv_values(directory / ".env"), **environment}.items()
            if value
        }
        data_dir = (directory / given.get("DATA_DIR", ".local")).resolve()
        variables = {
            "STORAGE_PATH": str(data_dir / "storage"),
            "AWS_S3_BUCKET_NAME": BUCKET,
            **given,
            "DATA_DIR": str(data_dir),
            "LOCAL_RUN": "1",
        }
        variables["STORAGE_PATH"] = str((directory / variables["STORAGE_PATH"]).resolve())
        return cls(
            port=_port(given.get("PORT", str(PORT)), "PORT"),
            data_dir=data_dir,
            schedule_seconds=_seconds(given.get("SCHEDULE_SECONDS", "5"), "SCHEDULE_SECONDS"),
            variables=variables,
        )

    @property
    def s3_port(self) -> int:
        """Where the embedded S3 answers."""
        return _port(self.variables.get("S3_PORT", str(S3_PORT)), "S3_PORT")

    def with_secret_key(self) -> dict[str, str]:
        """Gives the variables with a `SECRET_KEY`: the given one, or one made once and kept."""
        variables = dict(self.variables)
        if not {"SECRET_KEY", "SECRET_KEY_ARN"} & set(variables):
            variables["SECRET_KEY"] = kept_secret(self.data_dir / "secret_key")
        return variables


def kept_secret(file: Path) -> str:
    """Gives the secret in a file, making it at the first time; only its owner may read it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        draft = file.with_name(f"{file.name}.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_hex(SECRET_KEY_BYTES))
        # A link, unlike a rename, keeps the secret of the one who came first.
        try:
            file.hardlink_to(draft)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return file.read_text()


def _port(text: str, name: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 2**16:
        raise SettingError(f"{name}: expected a TCP port, 1 to 65535")
    return int(text)


def _seconds(text: str, name: str) -> float:
    if not re.fullmatch(r"\d{1,6}(\.\d{1,3})?", text) or not float(text):
        raise SettingError(f"{name}: expected seconds, such as 5 or 0.5")
    return float(text)
