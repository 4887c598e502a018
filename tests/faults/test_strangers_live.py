"""Strangers: what may come to the port of the live page, from other sites or from anywhere."""

from __future__ import annotations

import json
import random
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from structprobe.errors import ProbeError
from structprobe.show.live import server as live
from structprobe.show.live.server import MOST_BYTES, MOST_CONNECTIONS, LiveServer

pytestmark = [pytest.mark.fault_class("strangers"), pytest.mark.timeout(600)]


class Probes:
    """Stands for the probes: the server knows no more of them."""

    names, model, best = ("layer 1",), "model", 0

    def parse(self, text: str) -> dict[str, Any]:
        if not text.split():
            raise ProbeError("there are no words to parse")
        return {"words": text.split(), "runs": []}


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with LiveServer("127.0.0.1", 0) as one:
        one.use(Probes())  # type: ignore[arg-type]
        thread = threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield one
        one.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def any_speed(server: LiveServer) -> None:
    server._texts.clear()


def send(server: LiveServer, request: bytes, *, end: bool = True) -> bytes:
    """Send bytes, end what is sent, and give all that comes back."""
    with socket.create_connection(server.server_address[:2], timeout=60) as one:
        one.sendall(request)
        if end:
            one.shutdown(socket.SHUT_WR)
        parts = []
        while part := one.recv(2**16):
            parts.append(part)
        return b"".join(parts)


TEXT = json.dumps({"text": "the dog"}).encode()


def post(
    body: bytes = TEXT, path: str = "/parse", close: bool = True, **headers: str | bytes | None
) -> bytes:
    """A request as the page makes it, but for some headers; None leaves one out."""
    given: dict[str, Any] = {"Host": "127.0.0.1:8000", "Content-Type": "application/json"}
    given |= {"Content-Length": str(len(body)), "Connection": "close" if close else None}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [
        name.encode() + b": " + (value if isinstance(value, bytes) else value.encode())
        for name, value in given.items()
        if value is not None
    ]
    return b"\r\n".join([f"POST {path} HTTP/1.1".encode(), *lines, b"", body])


def status_of(answer: bytes) -> int:
    """The status of an answer, whose content is JSON or the page and nothing else."""
    head, _, content = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 "):  # to a request of version 0.9
        assert json.loads(answer)["error"]
        return 0
    status = int(head.split()[1])
    headers = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
    assert headers[b"X-Content-Type-Options"] == b"nosniff"
    assert b"Access-Control-Allow-Origin" not in headers
    if headers[b"Content-Type"] == b"application/json":
        first = content[: int(headers[b"Content-Length"])]
        assert status == 200 or not first or set(json.loads(first)) == {"error"}
    return status


OTHERS = (
    *("evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example"),
    *("evil@127.0.0.1", "127.0.0.1@evil.example", "127.0.0.1/evil", "127.0.0.1#x", "127.0.0.1?x"),
    *("127.0.0.1:80:80", "127.0.0.1:99999999", "[::", "[::1", "::1]", "[::1]evil", "[evil]", ""),
    *("local\thost", "localhost, evil", "localhost evil", "localhost\\evil", "%3127.0.0.1"),
    *("0x7f.1", "2130706433", "1.1", "localhost.", "\u212a", "127.0.0.1\x00", "*", "null", "-"),
)


def test_other_hosts_are_refused(server, tally):
    """As when a name that points at this machine is opened (DNS rebinding)."""

    def check(host: str) -> None:
        name = host.encode("utf-8")
        assert status_of(send(server, post(Host=name))) in (400, 403)
        get = b"GET / HTTP/1.1\r\nHost: " + name + b"\r\nConnection: close\r\n\r\n"
        assert status_of(send(server, get)) in (400, 403)

    tally.each(check, [(host,) for host in OTHERS])
    tally.one(lambda: status_of(send(server, post(Host=None))) == 403 or pytest.fail("taken"))
    twice = b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n"
    assert status_of(send(server, twice)) == 403
    assert status_of(send(server, b"GET / HTTP/1.0\r\n\r\n")) == 403
    assert status_of(send(server, b"GET http://evil.example/ HTTP/1.1\r\n\r\n")) == 403


ORIGINS = (
    *("http://evil.example", "null", "http://127.0.0.1", "http://127.0.0.1:8001", "http://[", ""),
    *("http://localhost:8000", "http://127.0.0.1:8000.evil.example", "http://a@127.0.0.1:8000"),
    *("file://", "ftp://127.0.0.1:8000", "127.0.0.1:8000", "http://127.0.0.1:8000/", "\xff", "*"),
)
SITES = ("cross-site", "same-site", "", "evil", "same-origin, cross-site")


def test_other_origins_are_refused(server, tally):
    def check(headers: dict[str, str]) -> None:
        assert status_of(send(server, post(**headers))) == 403
        lines = "".join(f"{k.replace('_', '-')}: {v}\r\n" for k, v in headers.items())
        get = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n{lines}\r\n"
        assert status_of(send(server, get.encode())) == 403

    tally.each(check, [({"Origin": one},) for one in ORIGINS])
    tally.each(check, [({"Sec_Fetch_Site": one},) for one in SITES])
    opened = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n"
    link = f"GET / HTTP/1.1\r\nHost: localhost:8000\r\n{opened}Connection: close\r\n\r\n"
    assert status_of(send(server, link.encode())) == 200
    site = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}
    assert status_of(send(server, post(**site))) == 403
    own = {"Origin": "http://127.0.0.1:8000", "Sec_Fetch_Site": "same-origin"}
    assert status_of(send(server, post(**own))) == 200


def test_forms_of_other_sites_are_refused(server, tally):
    def check(kind: str | None) -> None:
        assert status_of(send(server, post(Content_Type=kind))) == 415

    kinds = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None, "",
             "application/json-seq", "text/json", "application", "/", ";", "x" * 500)  # fmt: skip
    tally.each(check, [(kind,) for kind in kinds])
    for method in ("OPTIONS", "PUT", "TRACE", "CONNECT", "DELETE", "PATCH", "get", "\x1b[2J"):
        request = f"{method} /parse HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        assert status_of(send(server, request)) == 501


HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
BODIES = (b"", b"{", b"null", b"[" * 16_000, b"9" * 16_000, b'{"text":' * 2000, b"\xff\xfe", b"\0")
MALFORMED: dict[str, bytes] = {
    **{f"a length of {one[:20]!r}": post(Content_Length=one)
       for one in ("9" * 5000, "-1", "+5", "1e3", "0x10", "1,000", "", "\u0663", "5 5", "NaN",
                   "18446744073709551616", str(MOST_BYTES + 1), "1_0")},
    "no length": post(Content_Length=None),
    "two lengths": post(Content_Length="18\r\nContent-Length: 5"),
    "chunks": post(b"5\r\nabcde\r\n0\r\n\r\n", Content_Length=None, Transfer_Encoding="chunked"),
    "chunks and a length": post(Transfer_Encoding="chunked"),
    "less than promised": post(Content_Length="300"),
    **{f"a body of {one[:9]!r}": post(one) for one in BODIES},
    **{f"a text that is {value!r}"[:60]: post(json.dumps({"text": value}).encode())
       for value in (None, 5, [], {}, True, " ", "\n", 1e308)},
    "a number of 5,000 digits": post(b'{"text": ' + b"1" * 5000 + b"}"),
    "a path that is no address": b"GET //[ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a path up": b"GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a long path": b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a long header": HEAD + b"X: " + b"a" * 70_000 + b"\r\n\r\n",
    "many headers": HEAD + b"X: a\r\n" * 500 + b"\r\n",
    "a host without a name": b"GET / HTTP/1.1\r\n: localhost\r\n\r\n",
    "a host without a colon": b"GET / HTTP/1.1\r\nHost localhost\r\nmore\r\n\r\n",
    "a host behind what is none": b"GET / HTTP/1.1\r\nnothing\r\nHost: localhost\r\n\r\n",
    "a folded header": b"GET / HTTP/1.1\r\nHost: evil\r\n localhost\r\n\r\n",
    "control characters": b"GET / HTTP/1.1\r\nHost: localhost\r\n\x00\x1b: \x07\r\n\r\n"
    .replace(b"GET /", b"GET /\x1b[2J"),
    "version 0.9": b"GET /\r\n",
    "version 3": b"GET / HTTP/3.0\r\n\r\n",
    "a version of 5,000 digits": b"GET / HTTP/" + b"9" * 5000 + b".1\r\n\r\n",
    "no version": b"GET / HTTP/\r\n\r\n",
    "one word": b"GET\r\n\r\n",
    "many words": b"GET / a b c HTTP/1.1\r\n\r\n",
    "blanks": b" \r\n\r\n",
    "an empty line": b"\r\n",
    "line feeds alone": b"POST /parse HTTP/1.1\n\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(200)) + b"\n",
    "version 2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no end": b"POST /parse",
    "a header that ends": b"POST /parse HTTP/1.1\r\nHost: loc",
}  # fmt: skip


def test_malformed_requests_are_answered(server, tally):
    def check(request: bytes) -> None:
        status = status_of(send(server, request))
        assert status == 0 or 400 <= status < 600
        assert status != 500

    tally.each(check, [(request,) for request in MALFORMED.values()])


def test_refused_requests_with_much_behind_them_are_answered(server, tally):
    """An answer must not be lost because what was sent is not read."""

    def check(**headers: str) -> None:
        request = post(b"x" * 500_000, **headers)
        for _ in range(3):
            assert status_of(send(server, request, end=False)) >= 400

    for headers in ({}, {"Host": "evil"}, {"Content_Type": "a/b"}, {"Content_Length": "9" * 5000}):
        tally.one(lambda headers=headers: check(**headers))


def test_what_follows_a_request_is_not_another(server):
    """A request that is hidden behind another one, as its body, is not taken for one."""
    hidden = post()
    for first in (
        HEAD + b"Content-Length: %d\r\n\r\n" % len(hidden) + hidden,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + hidden,
        post(Host="evil", close=False) + hidden,
        post(b"{", close=False) + hidden,
    ):
        assert send(server, first).count(b"HTTP/1.1 ") == 1
    assert send(server, post(close=False) + hidden).count(b"HTTP/1.1 200") == 2


def test_no_more_texts_than_somebody_types(server, monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr(live.time, "monotonic", lambda: clock[0])
    statuses = [status_of(send(server, post())) for _ in range(live.MOST_TEXTS + 3)]
    assert statuses == [200] * live.MOST_TEXTS + [429] * 3
    assert status_of(send(server, HEAD + b"Connection: close\r\n\r\n")) == 200
    clock[0] += 61
    assert status_of(send(server, post())) == 200


def connect(server: LiveServer, request: bytes) -> socket.socket:
    one = socket.create_connection(server.server_address[:2], timeout=60)
    one.sendall(request)
    return one


@pytest.mark.parametrize(
    "begun", [b"", b"G", HEAD, HEAD + b"X: a\r\n", post(Content_Length="900"), HEAD + b"\r\n" * 60]
)
def test_slow_clients_do_not_keep_others_out(begun, server):
    """Some that send nothing, half a request, or do not read what comes back."""
    slow = [connect(server, begun) for _ in range(MOST_CONNECTIONS + 9)]
    try:
        assert status_of(send(server, post())) == 200
        assert status_of(send(server, HEAD + b"Connection: close\r\n\r\n")) == 200
        assert threading.active_count() < 2 * MOST_CONNECTIONS
    finally:
        for one in slow:
            one.close()


def test_slow_requests_are_given_up(server, monkeypatch):
    """However often a byte comes."""
    monkeypatch.setattr(live, "PATIENCE", 0.3)
    with connect(server, HEAD) as one:
        one.settimeout(0.02)
        for number in range(3000):
            try:
                one.sendall(b"X")
                if number % 2 and not one.recv(1):
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        else:
            pytest.fail("a request may take as long as it likes")
    assert status_of(send(server, post())) == 200


def test_clients_that_go_away(server, tally):
    def check(end: int) -> None:
        one = connect(server, post()[:end])
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # reset it
        one.close()

    tally.each(check, [(end,) for end in range(0, len(post()), 7)])
    assert status_of(send(server, post())) == 200


PARTS = (b"\r\n", b"\n", b" ", b":", b"\0", b"\xff", b"HTTP/1.1", b"Content-Length: 5", b"[", b"/",
         b"POST ", b"Host: ", b"localhost", b"Transfer-Encoding: chunked\r\n", b"\x1b[2J", b"{",
         b"9" * 50, b"%00", b"://", b"\xf0\x9f\x91\x8d", b'{"text":', b'"', b"\\ud800")  # fmt: skip


def fuzzed(generator: random.Random) -> bytes:
    data = bytearray(generator.choice([post(), *MALFORMED.values(), HEAD + b"\r\n"])[:4000])
    for _ in range(generator.randint(1, 8)):
        at = generator.randrange(len(data) + 1)
        match generator.randrange(4):
            case 0:
                data[at : at + generator.randrange(20)] = b""
            case 1:
                data[at:at] = generator.choice(PARTS)
            case 2:
                data[at:at] = generator.randbytes(generator.randrange(1, 9))
            case 3:
                other = generator.randrange(len(data) + 1)
                data[at:at] = data[other : other + generator.randrange(60)]
    return bytes(data) or b"\n"


def test_fuzzed_requests(server, tally, whole, caplog):
    """All are answered, none with an error of ours, and the server lives."""
    generator = random.Random(7)

    def check(request: bytes) -> None:
        server._texts.clear()
        answer = send(server, request)
        assert answer, "no answer"
        assert status_of(answer) != 500

    caplog.set_level("DEBUG", "structprobe")
    tally.each(check, [(fuzzed(generator),) for _ in range(10_000 if whole else 300)])
    assert status_of(send(server, post())) == 200
    broke = [one for one in caplog.records if "broke" in one.message]
    assert [one.exc_text for one in broke] == []
    end = time.monotonic() + 60
    while threading.active_count() > 10 and time.monotonic() < end:
        time.sleep(0.05)
    assert threading.active_count() <= 10
