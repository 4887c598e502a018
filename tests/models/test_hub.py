"""A hub id that is not in the cache: the hub is asked once, and says what is wrong."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from support.elsewhere import in_subprocess

ASK = """
from structprobe.errors import EncoderError
from structprobe.models.hub import refuse_unknown
try:
    print(refuse_unknown({model!r}, {revision!r}))
except EncoderError as error:
    print(error)
"""


class Hub(ThreadingHTTPServer):
    """A hub that has one model without files, and keeps what it was asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.asked: list[str] = []


class Answer(BaseHTTPRequestHandler):
    """Answers as the hub does, by status and by the name of the fault in a header."""

    def do_GET(self) -> None:
        if self.path.startswith("/api/models"):  # the hub's client asks for other things too
            self.server.asked.append(self.path)
        faults = {
            "/api/models/group/there": None,
            "/api/models/group/gated": "GatedRepo",
            "/api/models/group/odd": "",
            "/api/models/group/there/revision/v9": "RevisionNotFound",
        }
        fault = faults.get(self.path, "RepoNotFound")
        self.send_response(200 if fault is None else 403 if fault == "GatedRepo" else 404)
        if fault:
            self.send_header("X-Error-Code", fault)
        body = b'{"id": "group/there", "_id": "0"}'
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        """Say nothing."""


@pytest.fixture
def hub():
    server = Hub()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def ask(tmp_path, address: str, model: str, revision: str | None = None) -> tuple[str, str]:
    """Ask about a model with an empty cache and a hub of our own."""
    script = ASK.format(model=model, revision=revision)
    return in_subprocess(script, HF_ENDPOINT=address, HF_HOME=str(tmp_path), HF_HUB_OFFLINE="0")


@pytest.mark.parametrize(
    ("model", "revision", "answer"),
    [
        ("group/their", None, "the hub has no model 'group/their'; check the name"),
        ("group/there", "v9", "the hub has no revision 'v9' of 'group/there'; pass a branch"),
        ("group/there", None, "None"),
        ("group/gated", None, "None"),  # left to the loaders, as are
        ("group/odd", None, "None"),  # the hub's other faults
        ("gro up/tiny", None, "None"),  # and what can be no name
    ],
)
def test_the_hub_is_asked_once(tmp_path, hub, model, revision, answer):
    out, err = ask(tmp_path, f"http://127.0.0.1:{hub.server_port}", model, revision)
    assert out.startswith(answer)
    assert err == ""
    assert len(hub.asked) <= 1


def test_a_hub_out_of_reach_is_told_at_once(tmp_path):
    with socket.socket() as taken:  # bound, but it does not listen: a connection is refused
        taken.bind(("127.0.0.1", 0))
        out, err = ask(tmp_path, f"http://127.0.0.1:{taken.getsockname()[1]}", "group/tiny")
    assert out.startswith("model 'group/tiny': not a local folder, not fully downloaded")
    assert err == ""  # no line for each time that it was tried again


def test_a_folder_is_not_asked_for(tmp_path, hub):
    out, _ = ask(tmp_path, f"http://127.0.0.1:{hub.server_port}", str(tmp_path))
    assert out == "None"
    assert hub.asked == []
