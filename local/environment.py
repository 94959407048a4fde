"""The environment of a local run: what the user set, and defaults for the rest.

The functions read the same variables as on Lambda. Only the defaults made here are local, and
`LOCAL_RUN` marks a process that may use them.
"""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from local import env_file
from local.addresses import LOOPBACK, base_url, is_loopback
from local.allowed_hosts import AllowedHosts
from local.setting_names import is_known, suggestion
from shared.config.parsers import folder
from shared.config.secrets import SUFFIX, resolve
from shared.errors import SettingError

PORT = 27000
S3_PORT = 27006
BUCKET = "client-uploads"
PATHS = ("DATA_DIR", "METRICS_PATH", "STORAGE_PATH", "TLS_CERTIFICATE", "TLS_KEY")
SECRET_KEY_BYTES = 32
"""A real key has the strength of the hash behind it, 256 bits."""


@dataclass(frozen=True, slots=True)
class LocalEnvironment:
    """What a person set up here.

    Attributes:
        directory: what a relative path is relative to.
        given: the variables that have a value, from the process and from the file `.env`.
        places: file and line of those of `given` that come from the file, such as `.env:3`.
    """

    directory: Path
    given: Mapping[str, str]
    places: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, environment: Mapping[str, str], directory: Path) -> Self:
        """Read the variables; those of the process beat those of the file `.env`.

        An empty one counts as not given, in the process as in the file.

        Args:
            environment: the process's variables.
            directory: where `.env` is looked for.

        Raises:
            SettingError: the file cannot be read, or has a name that nothing reads; or a path
                cannot be expanded. The text names file and line.
        """
        lines = env_file.read(directory / ".env", environment)
        for error in unknown_names(lines):
            raise error
        return cls.of(lines, environment, directory)

    @classmethod
    def of(
        cls, lines: Iterable[env_file.Line], environment: Mapping[str, str], directory: Path
    ) -> Self:
        """Build the environment from the lines of a file `.env` and a process's variables.

        Raises:
            SettingError: a path cannot be expanded. The text names file and line.
        """
        inherited = {name: value for name, value in environment.items() if value.strip()}
        from_file = {line.name: line for line in lines if line.name not in inherited}
        given = {name: line.value for name, line in from_file.items() if line.value.strip()}
        # The file is UTF-8, and so are folders' names on disk, whatever the locale.
        given |= {name: os.fsdecode(given[name].encode()) for name in PATHS if name in given}
        places = {name: from_file[name].place for name in given}
        made = cls(directory, given | inherited, places)
        with made.placing_errors():
            expanded = {
                name: _expanded(made.given[name], name) for name in PATHS if name in made.given
            }
        return cls(directory, {**made.given, **expanded}, places)

    @contextmanager
    def placing_errors(self) -> Iterator[None]:
        """Name file and line in a `SettingError` about a variable that comes from `.env`."""
        try:
            yield
        except SettingError as error:
            place = self.places.get(re.split(r"[: ]", error.about, maxsplit=1)[0])
            if place is None:
                raise
            raise SettingError(f"{place}: {error.about}") from error

    @property
    def host(self) -> str:
        """The address to listen on."""
        return _address(self.given.get("HOST", LOOPBACK).strip(), "HOST")

    @property
    def allowed_hosts(self) -> AllowedHosts:
        """The names that clients may call the service by: those of `ALLOWED_HOSTS`, and `HOST`.

        Raises:
            SettingError: one is no name.
        """
        try:
            return AllowedHosts.parse([self.host, self.given.get("ALLOWED_HOSTS", "")])
        except ValueError as error:
            raise SettingError(f"ALLOWED_HOSTS: {error}") from None

    @property
    def url(self) -> str:
        """Where the service answers, for people and clients on this machine."""
        return base_url(self.host, self.port, tls="TLS_CERTIFICATE" in self.given)

    @property
    def tls(self) -> tuple[Path, Path] | None:
        """The files of the certificate and of its key, None where nginx answers without TLS.

        Raises:
            SettingError: one is missing, or cannot be read.
        """
        paths = [self.given.get(name) for name in ("TLS_CERTIFICATE", "TLS_KEY")]
        certificate, key = (self.directory / path if path else None for path in paths)
        if certificate is None and key is None:
            return None
        for file, name, other in (
            (certificate, "TLS_CERTIFICATE", "TLS_KEY"),
            (key, "TLS_KEY", "TLS_CERTIFICATE"),
        ):
            if file is None:
                raise SettingError(f"{name}: {other} needs it")
            if not os.access(file, os.R_OK) or not file.is_file():
                raise SettingError(f"{name}: {file} is no file that can be read")
        return (certificate, key) if certificate and key else None

    @property
    def port(self) -> int:
        """Where the functions answer."""
        return self.port_of("PORT", PORT)

    @property
    def s3_port(self) -> int:
        """Where the embedded S3 answers."""
        return self.port_of("S3_PORT", S3_PORT)

    def port_of(self, name: str, default: int) -> int:
        """Read a TCP port.

        Raises:
            SettingError: it is none.
        """
        return _port(self.given.get(name, str(default)).strip(), name)

    @property
    def schedule_seconds(self) -> float:
        """Seconds between two runs of what AWS runs every minute."""
        return _seconds(self.given.get("SCHEDULE_SECONDS", "5").strip(), "SCHEDULE_SECONDS")

    @property
    def triggers(self) -> int:
        """Processes of the trigger: while one makes files durable, the other downloads."""
        return self.count("TRIGGERS", 2)

    def count(self, name: str, default: int) -> int:
        """Read how many processes or threads there are to be.

        Raises:
            SettingError: it is no such number.
        """
        text = self.given.get(name, "").strip() or str(default)
        if not text.isdecimal() or not 1 <= int(text) <= 64:  # noqa: PLR2004
            raise SettingError(f"{name}: expected a whole number from 1 to 64")
        return int(text)

    @property
    def data_dir(self) -> Path:
        """Everything that a local run keeps; absolute."""
        return (self.directory / self.given.get("DATA_DIR", ".local")).resolve()

    @property
    def storage(self) -> Path:
        """The folder that files are written to; absolute."""
        chosen = self.given.get("STORAGE_PATH")
        return (self.directory / chosen).resolve() if chosen else self.data_dir / "storage"

    @property
    def metrics(self) -> Path:
        """The folder that all processes share for what they count; absolute."""
        chosen = self.given.get("METRICS_PATH")
        return (self.directory / chosen).resolve() if chosen else self.data_dir / "metrics"

    def local_variables(self) -> dict[str, str]:
        """Return the variables of a local run's processes.

        They are the given ones, with local defaults for what is missing: a secret key that is
        made once and kept, a storage folder, a bucket. `LOCAL_RUN` marks processes that only this
        machine can reach, and that may have a default password. Secrets given by reference are
        fetched.

        Raises:
            SettingError: one is invalid, or the key cannot be stored.
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


def unknown_names(lines: Iterable[env_file.Line]) -> list[SettingError]:
    """Return an error for each line of `.env` whose name nothing reads."""
    return [
        SettingError(
            f"{line.place}: {line.name}: nothing reads this name"
            + (f"; did you mean {meant}?" if (meant := suggestion(line.name)) else "")
        )
        for line in lines
        if not is_known(line.name)
    ]


def _expanded(text: str, name: str) -> str:
    try:
        return folder(text.strip())
    except ValueError as error:
        raise SettingError(f"{name}: {error}") from None


def kept_secret(file: Path) -> str:
    """Return the secret in a file, which is made the first time; only its owner may read it.

    Trailing newlines, which editors add, are not part of it.

    Raises:
        SettingError: the file cannot be made or read, or holds no secret.
    """
    try:
        secret = _kept(file).rstrip("\r\n")
    except OSError as error:
        raise SettingError(f"DATA_DIR: {file}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise SettingError(f"DATA_DIR: {file}: not UTF-8 text") from None
    if not secret:
        raise SettingError(f"DATA_DIR: {file}: empty; remove it, and a new one is created")
    return secret


def _kept(file: Path) -> str:
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=f"{file.name}.")  # mode 0600
        draft = Path(name)
        with os.fdopen(handle, "w") as draft_file:
            draft_file.write(secrets.token_hex(SECRET_KEY_BYTES))
        # A link, unlike a rename, keeps the secret of the process that came first.
        try:
            file.hardlink_to(draft)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return file.read_text(encoding="utf-8")


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
