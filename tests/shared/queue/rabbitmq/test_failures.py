from __future__ import annotations

import socket
import ssl
from contextlib import closing
from itertools import chain

import pika.exceptions
import pytest
from pika.adapters.select_connection import IOLoop
from pika.adapters.utils import connection_workflow
from pika.adapters.utils.selector_ioloop_adapter import SelectorIOServicesAdapter

from shared.errors import QueueUnavailable
from shared.queue.rabbitmq.failures import translated, unavailable

# RecursionError and the like are not translated; these are all that pika defines.
PIKA_ERRORS = sorted(
    {
        value
        for value in chain(vars(pika.exceptions).values(), vars(connection_workflow).values())
        if isinstance(value, type)
        and issubclass(value, Exception)
        and value.__module__.startswith("pika.")
    },
    key=lambda error: error.__name__,
)


@pytest.mark.parametrize("error_type", PIKA_ERRORS)
def test_every_error_of_pika_is_translated(error_type: type[Exception]) -> None:
    raised = error_type.__new__(error_type)  # their constructors ask for all sorts of things

    with pytest.raises(QueueUnavailable) as caught, translated():
        raise raised

    assert caught.value.__cause__ is raised


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(111, "Connection refused"),
        socket.gaierror(-2, "x"),
        ssl.SSLError("x"),
    ],
)
def test_errors_of_the_socket_are_translated(error: OSError) -> None:
    with pytest.raises(QueueUnavailable), translated():
        raise error


def test_a_connection_that_is_reset_the_moment_it_is_made_is_translated() -> None:
    with (
        closing(IOLoop()) as loop,
        socket.socket() as unconnected,
        pytest.raises(QueueUnavailable, match="not connected"),
        translated(),
    ):
        SelectorIOServicesAdapter(loop).create_streaming_connection(
            protocol_factory=pika.SelectConnection, sock=unconnected, on_done=print
        )


def test_a_fault_of_our_own_passes_through() -> None:
    with pytest.raises(KeyError), translated():
        raise KeyError
    with pytest.raises(ValueError, match="ours"), translated():
        raise ValueError("ours")


def test_there_are_errors_to_translate() -> None:
    assert len(PIKA_ERRORS) > 30


@pytest.mark.parametrize(
    ("failure", "about"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (pika.exceptions.ChannelClosedByBroker(404, "NOT_FOUND"), "404 NOT_FOUND"),
        (pika.exceptions.StreamLostError("gone"), "StreamLostError: gone"),
        (pika.exceptions.AMQPHeartbeatTimeout(), "AMQPHeartbeatTimeout"),
        (
            pika.exceptions.AMQPConnectionError(
                connection_workflow.AMQPConnectionWorkflowFailed(
                    [
                        connection_workflow.AMQPConnectorSocketConnectError(
                            ConnectionRefusedError(111, "Connection refused")
                        )
                    ]
                )
            ),
            "Connection refused",
        ),
    ],
)
def test_the_text_is_the_innermost_reason(failure: BaseException, about: str) -> None:
    assert unavailable(failure).about == about
