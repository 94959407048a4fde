from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterator

import pytest

from tests.helpers.tcp_proxy import Condition, TcpProxy


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while data := self.request.recv(65_536):
                self.request.sendall(data)


@pytest.fixture
def proxy() -> Iterator[TcpProxy]:
    """A proxy before a server that echoes."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.05,))
        serving.start()
        with TcpProxy(f"echo://me:secret@127.0.0.1:{server.server_address[1]}/path?q=1") as proxy:
            yield proxy
        server.shutdown()
        serving.join()


def connected(proxy: TcpProxy) -> socket.socket:
    with contextlib.ExitStack() as opened:
        link = opened.enter_context(socket.create_connection(("127.0.0.1", proxy.port), 5.0))
        link.sendall(b"hello")
        assert link.recv(100) == b"hello"
        opened.pop_all()
    return link


def test_the_url_keeps_all_but_the_address(proxy: TcpProxy) -> None:
    assert proxy.url == f"echo://me:secret@127.0.0.1:{proxy.port}/path?q=1"
    with TcpProxy("tcp://127.0.0.1:9") as other:
        assert other.url == f"tcp://127.0.0.1:{other.port}"


def test_bytes_pass_whole_and_connections_are_counted(proxy: TcpProxy) -> None:
    content = bytes(range(256)) * 4_000
    with connected(proxy) as link, link.makefile("rb") as answer:

        def send() -> None:
            link.sendall(content)
            half_close(link)

        sending = threading.Thread(target=send)
        sending.start()
        assert answer.read() == content
        sending.join()
    assert proxy.connections == 1


def half_close(link: socket.socket) -> None:
    link.shutdown(socket.SHUT_WR)


def test_a_dropped_connection_ends_and_a_new_one_passes(proxy: TcpProxy) -> None:
    with connected(proxy) as link:
        assert proxy.drop() == 1
        assert link.recv(100) == b""
    connected(proxy).close()


def test_a_reset_connection_is_reset_and_a_new_one_passes(proxy: TcpProxy) -> None:
    with connected(proxy) as link:
        assert proxy.reset() == 1
        with pytest.raises(ConnectionResetError):
            link.recv(100)
    connected(proxy).close()


def test_a_proxy_that_refuses_can_accept_again(proxy: TcpProxy) -> None:
    with connected(proxy) as link:
        proxy.refuse()
        assert link.recv(100) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", proxy.port), 5.0)
    proxy.accept()
    connected(proxy).close()


def test_nothing_passes_in_silence_and_nothing_is_lost_by_it(proxy: TcpProxy) -> None:
    with connected(proxy) as link:
        proxy.set_condition(Condition.SILENT)
        with socket.create_connection(("127.0.0.1", proxy.port), 5.0):
            link.sendall(b"later")
            link.settimeout(0.2)
            with pytest.raises(TimeoutError):
                link.recv(100)
            proxy.set_condition(Condition.NORMAL)
            link.settimeout(5.0)
            assert link.recv(100) == b"later"


def test_a_silent_connection_can_be_ended(proxy: TcpProxy) -> None:
    with connected(proxy) as link:
        proxy.set_condition(Condition.SILENT)
        assert proxy.drop() == 1
        assert link.recv(100) == b""


def test_new_connections_are_reset_until_the_network_is_normal(proxy: TcpProxy) -> None:
    proxy.set_condition(Condition.RESET)
    with pytest.raises(ConnectionResetError):
        connected(proxy)
    proxy.set_condition(Condition.NORMAL)
    connected(proxy).close()


def test_a_slow_network_delays_every_kibibyte(proxy: TcpProxy) -> None:
    with connected(proxy) as link, link.makefile("rb") as answer:
        proxy.set_condition(Condition.SLOW)
        link.sendall(b"x" * 4_096)
        half_close(link)
        link.settimeout(5.0)
        assert len(answer.read()) == 4_096


def test_a_server_that_is_gone_resets_its_clients() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with TcpProxy(f"tcp://127.0.0.1:{port}") as proxy, pytest.raises(ConnectionResetError):
        connected(proxy)


def test_a_closed_proxy_leaves_no_thread() -> None:
    before = threading.active_count()
    TcpProxy("tcp://127.0.0.1:9").close()
    assert threading.active_count() == before


def test_a_stranded_connection_stays_open_and_silent_while_new_ones_pass(proxy: TcpProxy) -> None:
    with connected(proxy) as old:
        proxy.strand()
        old.sendall(b"lost")
        with connected(proxy) as new:
            new.sendall(b"more")
            assert new.recv(100) == b"more"
        proxy.set_condition(Condition.SILENT)
        proxy.set_condition(Condition.NORMAL)
        old.settimeout(0.2)
        with pytest.raises(TimeoutError):
            old.recv(100)
