"""A small server of the live page: this machine alone, short texts alone, JSON alone."""

from __future__ import annotations

import errno
import ipaddress
import json
import logging
import socket
from collections.abc import Callable
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
PATIENCE = 20  # seconds that a connection may keep a thread waiting

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

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), _Handler)

    def use(self, probes: LiveProbes) -> None:
        """Say what is served."""
        self.probes = probes
        self.page = live_page(probes).encode()

    @property
    def address(self) -> str:
        """Where the page can be opened."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{name}:{self.server_address[1]}/"

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

    def do_GET(self) -> None:
        """Give the page."""
        if not self._from_here():
            return None
        if urlsplit(self.path).path != "/":
            return self._refuse(HTTPStatus.NOT_FOUND, "not found; the page is at /")
        return self._answer(HTTPStatus.OK, "text/html; charset=utf-8", self.server.page)

    do_HEAD = do_GET  # noqa: N815 -- as http.server calls it; `_answer` leaves out the page

    def do_POST(self) -> None:
        """Parse a text."""
        if not self._from_here():
            return None
        if urlsplit(self.path).path != "/parse":
            return self._refuse(HTTPStatus.NOT_FOUND, "not found; post texts to /parse")
        # What a form of another site can send is none of these; JSON needs our leave.
        if self.headers.get_content_type() != "application/json":
            return self._refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send application/json")
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal()):
            return self._refuse(HTTPStatus.LENGTH_REQUIRED, "the Content-Length header is missing")
        if int(length) > MOST_BYTES:
            return self._refuse(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"send at most {MOST_BYTES:,} bytes"
            )
        try:
            asked = json.loads(self.rfile.read(int(length)))
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
        host = self.headers.get("Host", "")
        if not _may_be_called(host, self.server.host):
            what = "unknown host name; use the IP address, or start the server with --host NAME"
            self._refuse(HTTPStatus.FORBIDDEN, what)
            return False
        origin = self.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != host:
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
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return name in ("localhost", own.lower()) or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)
