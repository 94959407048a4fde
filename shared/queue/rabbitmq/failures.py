"""What pika raises, as an error of this service: the one place where it is translated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import (
    AMQPConnectionError,
    AMQPError,
    ChannelClosed,
    ChannelError,
    ConnectionClosed,
    ReentrancyError,
)

from shared.errors import QueueUnavailable

FAILURES = (AMQPError, AMQPConnectorException, ChannelError, ReentrancyError, OSError)
"""Everything that pika raises by itself, and what its socket raises."""


def reset_while_connecting(error: BaseException) -> OSError | None:
    """Return what a connection met that was reset the moment it was made, None for other errors.

    pika looks at its socket before it goes on, and raises ValueError if that is closed again.
    """
    met = error.__context__
    return met if type(error) is ValueError and isinstance(met, OSError) else None


def unavailable(failure: BaseException | str) -> QueueUnavailable:
    """Return the error that describes a failure, in one line and without the URL's password."""
    return QueueUnavailable(failure if isinstance(failure, str) else _line(_innermost(failure)))


@contextmanager
def translated() -> Iterator[None]:
    """Translate what pika raises in its block.

    Raises:
        QueueUnavailable: pika or its socket failed.
    """
    try:
        yield
    except FAILURES as error:
        raise unavailable(error) from error
    except ValueError as error:
        if met := reset_while_connecting(error):
            raise unavailable(met) from error
        raise


def _innermost(error: BaseException) -> BaseException:
    """Return the reason that pika's connection workflow wraps."""
    while True:
        inner = getattr(error, "exception", None)
        if inner is None and (several := getattr(error, "exceptions", None)):
            inner = several[-1]
        if inner is None and type(error) is AMQPConnectionError and error.args:
            inner = error.args[0]
        if not isinstance(inner, BaseException):
            return error
        error = inner


def _line(error: BaseException) -> str:
    if isinstance(error, ConnectionClosed | ChannelClosed) and len(error.args) > 1:
        return f"{error.reply_code} {error.reply_text}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    details = " ".join(str(a) for a in error.args).strip()
    return f"{type(error).__name__}: {details}" if details else type(error).__name__
