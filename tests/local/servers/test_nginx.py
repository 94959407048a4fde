from __future__ import annotations

import http.client
import http.server
import json
import os
import re
import resource
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from local.allowed_hosts import AllowedHosts
from local.servers.account import CAP_DAC_READ_SEARCH, Account
from local.servers.nginx import TEMPLATE, NginxServer, Tls, connections, render
from shared.http.body_limits import EVENT_BYTES
from shared.http.request_id import FORM, is_safe
from tests.helpers.certificates import certificate
from tests.helpers.servers import free_port
from tests.helpers.waiting import until
from tests.local.interpreters import NOBODY

MAX_BODY_BYTES = 1_000
HALF_OPEN = 4_500
"""Connections: more than nginx takes in all where nothing is configured."""
LOCATION = f"/sync/{'0123456789abcdef' * 4}/"
OF_A_FILE = {
    "Content-Security-Policy": "sandbox",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Functions(http.server.BaseHTTPRequestHandler):
    """Says what reached it, or hands a file over to nginx."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = f"{self.headers}{self.rfile.read(int(self.headers['Content-Length'] or 0))!r}"
        self.send_response(418 if self.path == "/refused" else 200)
        if self.path == "/sync/":
            self.send_header("Location", LOCATION)
            self.send_header("ETag", '"of the function"')
        if self.path.startswith("/media/"):
            self.send_header("X-Accel-Redirect", "/protected-media/" + self.path[7:])
            self.send_header("Content-Type", "image/x-own")
            for name, value in OF_A_FILE.items():
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """Keeps quiet."""


@pytest.fixture
def functions() -> Iterator[http.server.ThreadingHTTPServer]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", free_port()), Functions)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    folder = tmp_path / "sto rage"
    (folder / "a b").mkdir(parents=True)
    (folder / "a b" / "ü.png").write_bytes(b"picture")
    (tmp_path / "secret").write_text("secret")
    (folder / "link").symlink_to(tmp_path / "secret")
    return folder


@pytest.fixture
def start_nginx(
    tmp_path: Path,
    storage: Path,
    functions: http.server.ThreadingHTTPServer,
    start_server: Callable[[NginxServer], NginxServer],
) -> Callable[..., tuple[NginxServer, int]]:
    """Start an nginx in front of the functions, and return it with its port."""

    def start(**options: Any) -> tuple[NginxServer, int]:
        port = free_port()
        server = NginxServer(
            tmp_path / "da ta [x]",
            port,
            functions_port=functions.server_port,
            storage=storage,
            max_body_bytes=MAX_BODY_BYTES,
            **options,
        )
        return start_server(server), port

    return start


@pytest.fixture
def nginx(start_nginx: Callable[..., tuple[NginxServer, int]]) -> tuple[NginxServer, int]:
    return start_nginx()


def ask(
    port: int, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, http.client.HTTPMessage, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("POST" if body else "GET", path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="is about root")
def test_as_another_account_it_reads_a_private_storage(
    start_nginx: Callable[..., tuple[NginxServer, int]], storage: Path
) -> None:
    storage.parent.chmod(0o700)
    for path in (storage, *storage.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    storage.chmod(0o700)
    server, port = start_nginx(account=Account(NOBODY, NOBODY, (CAP_DAC_READ_SEARCH,)))
    assert ask(port, "/media/a%20b/%C3%BC.png")[2] == "picture"
    assert ask(port, "/sync/", b"x" * MAX_BODY_BYTES)[0] == 200
    master = server.pid
    assert master
    listed = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    assert listed
    for pid in (master, *listed):
        status = Path(f"/proc/{pid}/status").read_text()
        assert f"Uid:\t{NOBODY}\t{NOBODY}\t{NOBODY}\t{NOBODY}\n" in status
        assert f"CapEff:\t{1 << CAP_DAC_READ_SEARCH:016x}\n" in status


def test_where_a_request_is_looked_up_passes_as_the_function_has_it(
    nginx: tuple[NginxServer, int],
) -> None:
    status, headers, seen = ask(nginx[1], "/sync/", headers={"If-None-Match": '"other"'})
    assert status == 200
    assert headers["Location"] == LOCATION
    assert headers["ETag"] == '"of the function"'
    assert 'If-None-Match: "other"\n' in seen


def test_a_client_cannot_claim_another_address(nginx: tuple[NginxServer, int]) -> None:
    forged = {"X-Forwarded-For": "10.1.2.3", "Forwarded": "for=10.1.2.3"}
    _, _, seen = ask(nginx[1], "/sync/", headers=forged)
    assert "X-Forwarded-For: 127.0.0.1\n" in seen
    assert "10.1.2.3" not in seen


@pytest.mark.parametrize(
    ("forwarded_for", "proto", "address", "seen_proto"),
    [
        ("203.0.113.7", "https", "203.0.113.7", "https"),
        ("203.0.113.7", "https, http", "203.0.113.7", "https"),
        ("203.0.113.7:4711", "http", "203.0.113.7", "http"),
        ("[2001:db8::1]:4711", "HTTPS", "2001:db8::1", "https"),
        ("10.9.9.9, 203.0.113.7, 192.0.2.8", "https", "203.0.113.7", "https"),
        (None, None, "127.0.0.1", "http"),
        ("203.0.113.7", "javascript", "203.0.113.7", "http"),
    ],
)
def test_a_proxy_in_front_is_believed(
    start_nginx: Callable[..., tuple[NginxServer, int]],
    forwarded_for: str | None,
    proto: str | None,
    address: str,
    seen_proto: str,
) -> None:
    networks = [ip_network("127.0.0.0/8"), ip_network("192.0.2.0/24")]
    _, port = start_nginx(proxies=networks)
    claimed = {"X-Forwarded-For": forwarded_for, "X-Forwarded-Proto": proto}
    headers = {name: value for name, value in claimed.items() if value is not None}
    _, _, seen = ask(port, "/sync/", headers=headers)
    assert f"X-Forwarded-For: {address}\n" in seen
    assert f"X-Forwarded-Proto: {seen_proto}\n" in seen


def test_a_stranger_cannot_claim_tls(nginx: tuple[NginxServer, int]) -> None:
    _, _, seen = ask(nginx[1], "/sync/", headers={"X-Forwarded-Proto": "https"})
    assert "X-Forwarded-Proto: http\n" in seen


@pytest.mark.parametrize(
    ("workers", "most_files", "expected"),
    [
        (1, 1_048_576, (65_536, 87_382)),
        (2, 1_048_576, (65_536, 87_382)),
        (4, 1_048_576, (32_768, 43_691)),
        (16, 1_048_576, (16_384, 21_846)),
        (2, 20_000, (15_000, 20_000)),
        (1, 1_024, (768, 1_024)),
    ],
)
def test_one_address_has_fewer_ports_than_there_are_connections(
    workers: int, most_files: int, expected: tuple[int, int]
) -> None:
    assert connections(workers, most_files) == expected


def test_half_open_connections_shut_nobody_out(nginx: tuple[NginxServer, int]) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2 * HALF_OPEN:
        pytest.skip(f"needs {2 * HALF_OPEN} open files, the system allows {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * HALF_OPEN), hard))
    with ExitStack() as opened:
        opened.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        for _ in range(HALF_OPEN):
            link = opened.enter_context(socket.create_connection(("127.0.0.1", nginx[1])))
            link.sendall(b"POST /sync/ HTTP/1.1\r\n")
        began = time.monotonic()
        assert ask(nginx[1], "/sync/")[0] == 200
        assert time.monotonic() - began < 5.0


def test_it_answers_in_tls_itself(
    start_nginx: Callable[..., tuple[NginxServer, int]], tmp_path: Path
) -> None:
    tls = Tls(*certificate(tmp_path / "Schlüs sel", "sync.example"))
    _, port = start_nginx(tls=tls)
    trusted = ssl.create_default_context(cafile=str(tls.certificate))
    with (
        socket.create_connection(("127.0.0.1", port)) as link,
        trusted.wrap_socket(link, server_hostname="sync.example") as secure,
    ):
        secure.sendall(b"GET /sync/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: secure.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"X-Forwarded-Proto: https" in answer
    status, headers, _ = ask(port, "/admin/?a=b")
    assert (status, headers["Location"]) == (301, f"https://127.0.0.1:{port}/admin/?a=b")


def test_a_body_a_little_too_large_is_left_to_the_function(nginx: tuple[NginxServer, int]) -> None:
    assert ask(nginx[1], "/sync/", b"x" * (MAX_BODY_BYTES + 1))[0] == 200
    status, headers, body = ask(nginx[1], "/sync/", b"x" * (2 * MAX_BODY_BYTES + 1))
    assert (status, headers["Content-Type"]) == (413, "application/json")
    assert body == '{"detail": "Request body too large"}'


def test_events_may_be_larger(nginx: tuple[NginxServer, int]) -> None:
    for path in ("/events/s3/", "/events/s3"):
        assert ask(nginx[1], path, b"x" * (EVENT_BYTES + 1))[0] == 200
        assert ask(nginx[1], path, b"x" * (2 * EVENT_BYTES + 1))[0] == 413
    other = {"Host": "other.example"}
    own = ask(nginx[1], "/sync/", b"x", other)
    assert ask(nginx[1], "/events/s3/", b"x", other)[::2] == own[::2]


def test_the_functions_refusals_pass_untouched(nginx: tuple[NginxServer, int]) -> None:
    status, _, body = ask(nginx[1], "/refused")
    assert status == 418
    assert "X-Forwarded-For" in body


def test_without_the_functions_it_says_when_to_come_again(
    nginx: tuple[NginxServer, int], functions: http.server.ThreadingHTTPServer
) -> None:
    functions.shutdown()
    functions.server_close()
    status, headers, body = ask(nginx[1], "/sync/")
    assert (status, headers["Content-Type"], headers["Retry-After"]) == (
        503,
        "application/json",
        "5",
    )
    assert body == '{"detail": "Service unavailable"}'


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [("/" + "x" * 10_000, {}, 414), ("/", {"A": "x" * 10_000}, 431), ("/.error/503", {}, 404)],
)
def test_its_own_refusals_are_json(
    nginx: tuple[NginxServer, int], path: str, headers: dict[str, str], status: int
) -> None:
    answer = ask(nginx[1], path, headers=headers)
    assert (answer[0], answer[1]["Content-Type"]) == (status, "application/json")
    assert re.fullmatch(r'\{"detail": "[A-Za-z ]+"\}', answer[2])


def test_a_function_hands_over_a_file(nginx: tuple[NginxServer, int]) -> None:
    status, headers, body = ask(nginx[1], "/media/a%20b/%C3%BC.png")
    assert (status, body) == (200, "picture")
    assert headers["Content-Type"] == "image/x-own"
    assert {name: headers[name] for name in OF_A_FILE} == OF_A_FILE
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    ["/protected-media/a%20b/%C3%BC.png", "/media/link", "/media/none", "/media/../secret"],
)
def test_nothing_else_of_the_disk_is_reached(nginx: tuple[NginxServer, int], path: str) -> None:
    status, _, body = ask(nginx[1], path)
    assert status == 404
    assert body == '{"detail": "Not found"}'


def test_a_stop_leaves_no_process(nginx: tuple[NginxServer, int]) -> None:
    server, port = nginx
    server.stop()
    assert server.pid is None
    with pytest.raises(ConnectionRefusedError):
        ask(port, "/")
    server.start()
    server.wait_ready()
    until(lambda: ask(port, "/sync/")[0] == 200)


def test_every_value_of_the_template_must_be_given() -> None:
    names = set(re.findall(r"\$\{(\w+)\}", TEMPLATE.read_text()))
    assert "${" not in render(dict.fromkeys(names, "x"))
    with pytest.raises(KeyError):
        render({})


def status_of(port: int, *lines: str) -> int:
    request = "\r\n".join((*lines, "Connection: close", "", "")).encode()
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(request)
        received = b""
        while data := connection.recv(65_536):
            received += data
    return int(received.split()[1])


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (("GET / HTTP/1.1", "Host: localhost:27000"), 200),
        (("GET / HTTP/1.1", "Host: LOCALHOST."), 200),
        (("GET / HTTP/1.1", "Host: app.localhost"), 200),
        (("GET / HTTP/1.1", "Host: 127.0.0.1"), 200),
        (("GET / HTTP/1.1", "Host: [::1]:27000"), 200),
        (("GET / HTTP/1.0",), 200),
        (("GET http://localhost/ HTTP/1.1", "Host: localhost"), 200),
        (("GET / HTTP/1.1", "Host: evil.example"), 421),
        (("GET / HTTP/1.1", "Host: Evil.Example:27000"), 421),
        (("GET / HTTP/1.1", "Host: localhost.evil.example"), 421),
        (("GET / HTTP/1.1", "Host: 192.0.2.1"), 421),
        (("GET /protected-media/x HTTP/1.1", "Host: evil.example"), 404),
        (("GET / HTTP/1.0", "Host: evil.example"), 421),
        (("GET http://evil.example/ HTTP/1.1", "Host: localhost"), 421),
        (("GET / HTTP/1.1",), 400),
        (("GET / HTTP/1.1", "Host: localhost", "Host: evil.example"), 400),
    ],
)
def test_only_requests_for_this_service_are_passed_on(
    nginx: tuple[NginxServer, int], lines: tuple[str, ...], status: int
) -> None:
    assert status_of(nginx[1], *lines) == status


def test_a_request_for_another_server_is_refused_in_json(nginx: tuple[NginxServer, int]) -> None:
    status, headers, body = ask(nginx[1], "/", headers={"Host": "evil.example"})
    assert (status, headers["Content-Type"]) == (421, "application/json")
    assert "ALLOWED_HOSTS" in json.loads(body)["detail"]


def test_the_functions_get_a_name_always(nginx: tuple[NginxServer, int]) -> None:
    _, _, seen = ask(nginx[1], "/", headers={"Host": "localhost:27000"})
    assert "\nHost: localhost:27000\n" in f"\n{seen}"
    assert "X-Forwarded-Host: localhost:27000\n" in seen


@pytest.mark.parametrize(
    ("entries", "host", "status"),
    [
        ("sync.example.com,*.apps.example.com", "Sync.example.com.:1", 200),
        ("sync.example.com,*.apps.example.com", "a.b.apps.example.com", 200),
        ("sync.example.com,*.apps.example.com", "apps.example.com", 421),
        ("sync.example.com", "syncxexample.com", 421),
        ("0.0.0.0", "192.0.2.1", 200),
        ("0.0.0.0", "[fd00::5]:1", 200),
        ("0.0.0.0", "evil.example", 421),
        ("fd00::5", "[fd00::5]", 200),
        ("*", "evil.example", 200),
    ],
)
def test_names_can_be_listed(
    tmp_path: Path,
    storage: Path,
    functions: http.server.ThreadingHTTPServer,
    start_server: Callable[[NginxServer], NginxServer],
    entries: str,
    host: str,
    status: int,
) -> None:
    port = free_port()
    start_server(
        NginxServer(
            tmp_path / "data",
            port,
            functions_port=functions.server_port,
            storage=storage,
            max_body_bytes=MAX_BODY_BYTES,
            hosts=AllowedHosts.parse([entries]).pattern,
        )
    )
    assert status_of(port, "GET / HTTP/1.1", f"Host: {host}") == status


UNSAFE = ["", "a b", "x" * 129, "=1", "-rf", "a,b", "a;b", "größe"]


def ids(headers: http.client.HTTPMessage) -> list[str]:
    return headers.get_all("X-Request-Id") or []


def test_the_safe_form_of_an_id_is_the_functions_own() -> None:
    assert f'"~^{FORM}$"' in TEMPLATE.read_text()


def test_functions_and_client_and_access_log_get_one_request_id(
    nginx: tuple[NginxServer, int], tmp_path: Path
) -> None:
    _, headers, seen = ask(nginx[1], "/sync/", headers={"X-Request-Id": "order-17"})
    assert ids(headers) == ["order-17"]
    assert "X-Request-Id: order-17\n" in seen
    new = set()
    for unsafe in UNSAFE:
        _, headers, seen = ask(
            nginx[1], "/sync/", headers={"X-Request-Id": unsafe.encode().decode("latin-1")}
        )
        (request_id,) = ids(headers)
        assert is_safe(request_id)
        assert f"X-Request-Id: {request_id}\n" in seen
        new.add(request_id)
    assert len(new) == len(UNSAFE)
    log = tmp_path / "da ta [x]" / "nginx.log"
    until(lambda: len(new | {"order-17"} & set(log.read_text().split())) == len(new) + 1)


def test_every_answer_of_nginx_s_own_has_a_request_id(
    nginx: tuple[NginxServer, int], functions: http.server.ThreadingHTTPServer
) -> None:
    given = {"X-Request-Id": "order-17"}
    for path, body, more, status in (
        ("/media/a%20b/%C3%BC.png", None, {}, 200),
        ("/media/a%20b/%C3%BC.png", None, {"Range": "bytes=9-"}, 416),
        ("/media/none", None, {}, 404),
        ("/sync/", b"x" * 3 * MAX_BODY_BYTES, {}, 413),
        ("/sync/", None, {"Host": "elsewhere.example.com"}, 421),
        ("/" + "x" * 9_000, None, {}, 414),
    ):
        answer = ask(nginx[1], path, body, {**given, **more})
        # A request whose first line is too long has no headers yet.
        assert answer[0] == status
        assert ids(answer[1]) == ["order-17"] or (status == 414 and len(ids(answer[1])) == 1)
    functions.shutdown()
    functions.server_close()
    status, headers, _ = ask(nginx[1], "/sync/", headers=given)
    assert (status, ids(headers)) == (503, ["order-17"])


def test_functions_that_hang_are_answered_for_within_ten_seconds(
    nginx: tuple[NginxServer, int], functions: http.server.ThreadingHTTPServer
) -> None:
    functions.shutdown()  # it still listens, as a process that is stopped
    began = time.monotonic()
    status, headers, body = ask(nginx[1], "/sync/", b"{}", {"X-Request-Id": "order-18"})
    assert time.monotonic() - began < 10
    assert (status, json.loads(body)) == (503, {"detail": "Service unavailable"})
    assert (headers["Retry-After"], ids(headers)) == ("5", ["order-18"])
