"""A small server of the live page: this machine alone, short texts alone, JSON alone."""

from __future__ import annotations

import errno
import ipaddress
import json
import logging
import re
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from structprobe._version import __version__
from structprobe.errors import Hint, StructprobeError
from structprobe.show.live.page import live_page
from structprobe.show.live.probes import LiveProbes

_log = logging.getLogger(__name__)

MOST_BYTES = 16_384  # of a request's body
MOST_CONNECTIONS = 64  # at a time; a new one takes the place of the one that waits longest
MOST_TEXTS = 300  # in a minute; nobody types faster
MOST_UNREAD = 2**22  # bytes behind a refused request that are waited for
PATIENCE = 20  # seconds that a request may take to arrive

# A name or number and a port, as browsers write them, and nothing around it.
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[\w.-]+)(?::[0-9]{1,5})?", re.ASCII)

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    # The page carries a policy of its own, by digests; this one is for all answers.
    "Content-Security-Policy": "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
}


def serve(
    load: Callable[[], LiveProbes],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    on_ready: Callable[[str], None] = lambda address: None,
) -> None:
    """Serve the live page until interrupted.

    Parameters
    ----------
    load : callable
        Loads the probes, once it is known that the port is free.
    host : str, default="127.0.0.1"
        The address to listen on; by default only this machine can connect.
    port : int, default=8000
        The port; 0 takes a free one.
    on_ready : callable
        Called with the page's address when it can be opened.

    Raises
    ------
    StructprobeError
        If the port is in use or the address is not one of this machine; or as `load` raises.
    """
    with _listen(host, port) as server:
        server.use(load())
        try:
            on_ready(server.address)
            if not _is_loopback(host):
                _log.warning("anyone who can reach %s can use this page", host)
            server.serve_forever()
        except KeyboardInterrupt:
            _log.info("stopped")


class LiveServer(ThreadingHTTPServer):
    """Answers each request in a thread of its own."""

    daemon_threads = True
    request_queue_size = MOST_CONNECTIONS

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), _Handler)

        self._waiting: dict[socket.socket, float] = {}  # for a request, since when
        self._lock = threading.Lock()
        self._texts: deque[float] = deque(maxlen=MOST_TEXTS)  # when the last ones came

    def wait_for(self, connection: socket.socket) -> None:
        """Note that a request is waited for; more than so many at a time are not."""
        with self._lock:
            self._waiting[connection] = time.monotonic()
            if len(self._waiting) > MOST_CONNECTIONS:
                first = next(iter(self._waiting))
                del self._waiting[first]
                _hang_up(first)

    def came(self, connection: socket.socket) -> None:
        """Note that a request is there, or that none will come."""
        with self._lock:
            self._waiting.pop(connection, None)

    def is_too_fast(self) -> bool:
        """Count a text, and tell whether there were too many in the last minute."""
        with self._lock:
            now = time.monotonic()
            full = len(self._texts) == MOST_TEXTS and now - self._texts[0] < 60
            if not full:
                self._texts.append(now)
            return full

    def service_actions(self) -> None:
        """Hang up on those whose request takes too long; the loop calls this twice a second."""
        with self._lock:
            for connection, since in self._waiting.items():
                if time.monotonic() - since > PATIENCE:
                    _hang_up(connection)

    def use(self, probes: LiveProbes) -> None:
        """Say what is served."""
        self.probes = probes
        self.page = live_page(probes).encode()

    @property
    def address(self) -> str:
        """Where the page can be opened."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{name}:{self.server_address[1]}/"

    def shutdown_request(self, request: Any) -> None:
        """Let the answer arrive: closed with unread bytes, a connection is reset."""
        self.wait_for(request)
        with suppress(OSError):
            request.shutdown(socket.SHUT_WR)
            request.settimeout(1)
            for _ in range(MOST_UNREAD // MOST_BYTES):
                if not request.recv(MOST_BYTES):
                    break
        self.came(request)
        self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log what a broken connection does, in place of a traceback."""
        _log.debug("a connection from %s broke", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: LiveServer
    server_version = f"structprobe/{__version__}"
    sys_version = ""
    protocol_version = "HTTP/1.1"
    timeout = PATIENCE

    def handle_one_request(self) -> None:
        """Take one request, which must be there soon."""
        self.server.wait_for(self.connection)
        try:
            super().handle_one_request()
        finally:
            self.server.came(self.connection)

    def parse_request(self) -> bool:
        """Read the head of a request; also one of nothing but blanks gets an answer."""
        understood = super().parse_request()
        if not understood and not self.requestline.split():
            self._refuse(HTTPStatus.BAD_REQUEST, "an empty request")
        if understood and self.request_version == self.default_request_version:
            self.request_version = self.protocol_version  # else an answer has no head
            self._refuse(HTTPStatus.BAD_REQUEST, "the request names no version of HTTP")
            return False
        return understood

    def do_GET(self) -> None:
        """Give the page."""
        if not self._from_here():
            return None
        if "Content-Length" in self.headers or "Transfer-Encoding" in self.headers:
            self.close_connection = True  # what follows is no other request
        if self.path.partition("?")[0] != "/":
            return self._refuse(HTTPStatus.NOT_FOUND, "not found; the page is at /")
        return self._answer(HTTPStatus.OK, "text/html; charset=utf-8", self.server.page)

    do_HEAD = do_GET  # noqa: N815 -- as http.server calls it; `_answer` leaves out the page

    def do_POST(self) -> None:
        """Parse a text."""
        if not self._from_here():
            return None
        if self.path.partition("?")[0] != "/parse":
            return self._refuse(HTTPStatus.NOT_FOUND, "not found; post texts to /parse")
        # What a form of another site can send is none of these; JSON needs our leave.
        if self.headers.get_content_type() != "application/json":
            return self._refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send application/json")
        length, *more = self.headers.get_all("Content-Length", [""])
        if more or "Transfer-Encoding" in self.headers or not re.fullmatch("[0-9]+", length):
            return self._refuse(HTTPStatus.LENGTH_REQUIRED, "send one Content-Length header")
        if len(length) > 9 or int(length) > MOST_BYTES:
            return self._refuse(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"send at most {MOST_BYTES:,} bytes"
            )
        body = self.rfile.read(int(length))
        self.server.came(self.connection)
        if len(body) < int(length):
            return self._refuse(
                HTTPStatus.BAD_REQUEST, f"only {len(body):,} of {length} bytes came"
            )
        if self.server.is_too_fast():
            what = f"more than {MOST_TEXTS} texts in a minute; wait a little"
            return self._refuse(HTTPStatus.TOO_MANY_REQUESTS, what)
        try:
            asked = json.loads(body)
        except (ValueError, RecursionError):
            asked = None
        text = asked.get("text") if isinstance(asked, dict) else None
        if not isinstance(text, str):
            return self._refuse(HTTPStatus.BAD_REQUEST, 'send {"text": "a sentence"}')
        try:
            found = self.server.probes.parse(text)
        except StructprobeError as error:
            return self._refuse(HTTPStatus.BAD_REQUEST, str(error))
        except Exception:
            _log.exception("a text could not be parsed")
            return self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error; see the log")
        content = json.dumps(found, allow_nan=False).encode()
        return self._answer(HTTPStatus.OK, "application/json", content)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Tell a fault of the protocol as all others, never as markup."""
        del explain
        self._refuse(code, message or HTTPStatus(code).phrase)

    def log_message(self, format: str, *args: object) -> None:
        """Log a request, for those who asked for more of what is going on."""
        _log.debug(format, *args)

    def _from_here(self) -> bool:
        """Refuse what a page of another site asks, also where its name points at this machine."""
        host, *more = self.headers.get_all("Host", [""])
        if more or not _may_be_called(host, self.server.host):
            what = "unknown host name; use the IP address, or start the server with --host NAME"
            self._refuse(HTTPStatus.FORBIDDEN, what)
            return False
        origins = {one.lower() for one in self.headers.get_all("Origin", [])}
        ours = {f"{scheme}://{host.lower()}" for scheme in ("http", "https")}
        # What browsers say of themselves; a link of another site may lead to the page.
        site = self.headers.get("Sec-Fetch-Site", "none")
        opened = self.command != "POST" and self.headers.get("Sec-Fetch-Mode") == "navigate"
        if origins - ours or not (site in ("same-origin", "none") or opened):
            self._refuse(HTTPStatus.FORBIDDEN, "requests from other sites are refused")
            return False
        return True

    def _refuse(self, code: int, why: str) -> None:
        """Answer with a fault, and take nothing more from this connection."""
        self.close_connection = True
        self._answer(code, "application/json", json.dumps({"error": why}).encode())

    def _answer(self, code: int, kind: str, content: bytes) -> None:
        self.send_response(code)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _listen(host: str, port: int) -> LiveServer:
    try:
        return LiveServer(host, port)
    except OSError as error:
        where = f"{host}:{port}"
        if error.errno == errno.EADDRINUSE:
            shell = "choose another with --port (0: any free one)"
            hint = Hint("pass another port (0: any free one)", shell=shell)
            raise StructprobeError("the port is in use", where=where, hint=hint) from error
        what = f"cannot listen on this address: {error.strerror or error}"
        own = "use 127.0.0.1 for this computer alone, or one of its own addresses"
        raise StructprobeError(what, where=where, hint=own) from error


def _may_be_called(host: str, own: str) -> bool:
    """Tell whether a browser that reached this server by this name was meant to."""
    # Numbers and this machine's own names cannot be pointed elsewhere by whoever owns a domain.
    try:
        name = (urlsplit(f"//{host}").hostname or "") if _HOST.fullmatch(host) else ""
    except ValueError:
        return False
    return bool(name) and (name in ("localhost", own.lower()) or _is_address(name))


def _hang_up(connection: socket.socket) -> None:
    """End a connection, so that the thread that reads from it ends too."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)
