"""A Lambda sandbox: one process that runs one built package and nothing else.

The process is the bare interpreter without site-packages. It sees the package, as Lambda's
/var/task, and AWS's runtime client with the boto3 that Lambda ships, as /var/runtime; its
environment holds what Lambda sets and what the template gives the function. Between invocations
it is stopped, as Lambda freezes a sandbox.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import TimeoutError as FutureTimeout
from pathlib import Path
from typing import Any, Self

from tests.aws.runtime_api import FunctionError, RuntimeApi

START_SECONDS = 60.0


class TimedOut(Exception):
    """The function used up its time; the platform ended the sandbox."""


class Sandbox:
    """One sandbox of a function.

    Args:
        package: folder of the built package.
        runtime: folder with awslambdaric and boto3.
        handler: as the template names it.
        environment: what the template gives the function.
        log: file that takes what the function writes.
    """

    def __init__(
        self,
        package: Path,
        runtime: Path,
        handler: str,
        environment: Mapping[str, str],
        log: Path,
    ) -> None:
        self.log = log
        self._api = RuntimeApi()
        self._polls = 0
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys._base_executable, "-S", "-m", "awslambdaric", handler],  # type: ignore[attr-defined]  # noqa: SLF001
                cwd=package,
                env={
                    **environment,
                    "AWS_ACCESS_KEY_ID": "testing",
                    "AWS_SECRET_ACCESS_KEY": "testing",
                    "AWS_SESSION_TOKEN": "testing",
                    "AWS_REGION": "eu-west-1",
                    "AWS_DEFAULT_REGION": "eu-west-1",
                    "AWS_EXECUTION_ENV": "AWS_Lambda_python3.12",
                    "AWS_LAMBDA_FUNCTION_NAME": "under-test",
                    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
                    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
                    "AWS_LAMBDA_LOG_FORMAT": "JSON",
                    "AWS_LAMBDA_LOG_LEVEL": "INFO",
                    "AWS_LAMBDA_RUNTIME_API": self._api.address,
                    "LAMBDA_TASK_ROOT": str(package),
                    "LANG": "en_US.UTF-8",
                    "TZ": ":UTC",
                    "PYTHONPATH": str(runtime),
                    "PYTHONDONTWRITEBYTECODE": "1",
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self._until_idle()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    def invoke(self, event: object, seconds: float = 30.0, ended_after: float | None = None) -> Any:
        """Thaws the sandbox, has one event answered, and freezes it.

        Args:
            event: the event.
            seconds: how long the function is told that it may take, the template's `Timeout`.
            ended_after: when its sandbox is ended in fact, where that is another time.

        Raises:
            FunctionError: the function raised an error.
            TimedOut: it took too long, and its sandbox was ended.
        """
        invocation = self._api.send(event, seconds)
        os.kill(self.pid, signal.SIGCONT)
        try:
            answer = invocation.answer.result(ended_after or seconds)
        except FutureTimeout as error:
            self.stop()
            raise TimedOut(self.written()) from error
        finally:
            if self._process.returncode is None:
                self._until_idle()
        return json.loads(answer)

    @property
    def maps(self) -> Path:
        """The kernel's list of the files that the process has mapped."""
        return Path(f"/proc/{self.pid}/maps")

    def written(self) -> str:
        """Return what the function has written so far."""
        return self.log.read_text(errors="replace")

    def stop(self) -> None:
        """End the sandbox as Lambda does, without a warning."""
        if self._process.returncode is None:
            self._process.kill()
            self._process.wait()
            self._api.close()

    def _until_idle(self) -> None:
        """Wait until the runtime asks for its next event, and freeze it there."""
        api, deadline = self._api, time.monotonic() + START_SECONDS
        with api.polled:
            while api.polls == self._polls:
                if api.failed_start:
                    failed = api.failed_start
                    self.stop()
                    raise failed
                api.polled.wait(0.1)
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise FunctionError({"errorType": "Runtime", "errorMessage": self.written()})
            self._polls = api.polls
        os.kill(self.pid, signal.SIGSTOP)
