"""The live page's server: what it answers, what it refuses, and how it begins and ends."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.flat_settings import fit_probe, sweep
from support.tiny_checkpoints import save_checkpoint
from support.tiny_trees import tiny_bank

from structprobe import Encoder, ProbeRecoverer
from structprobe.cli.main import main
from structprobe.errors import ProbeError, ResultError, StructprobeError
from structprobe.show.live import LiveProbes, serve
from structprobe.show.live.probes import MOST_CHARACTERS, MOST_WORDS
from structprobe.show.live.server import MOST_BYTES, LiveServer

BANKS = (tiny_bank(), tiny_bank(seed=1))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model, a probe on each of its layers, and a sweep that saved its probes."""
    folder = tmp_path_factory.mktemp("live")
    encoder = Encoder(save_checkpoint(folder / "model", "bert"))
    for layer in range(3):
        fit_probe(encoder, *BANKS, layer=layer, max_steps=5, out=folder / f"layer-{layer}")
    sweep(encoder, *BANKS, folder=folder / "DIR", max_steps=5, save_probes=True, ranks=(2, 8))
    sweep(encoder, *BANKS, folder=folder / "unsaved", max_steps=2, layers="0-1")
    return folder


@pytest.fixture(scope="module")
def probes(world: Path) -> LiveProbes:
    return LiveProbes.load([world / f"layer-{layer}" for layer in (2, 0, 1)], device="cpu")


@pytest.fixture(scope="module")
def server(probes: LiveProbes) -> Iterator[LiveServer]:
    with LiveServer("127.0.0.1", 0) as one:
        one.use(probes)
        thread = threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield one
        one.shutdown()
        thread.join()


def ask(
    server: LiveServer,
    method: str = "POST",
    path: str = "/parse",
    body: bytes | str | None = None,
    **headers: str,
) -> tuple[int, Any, dict[str, str]]:
    """One request: its status, what came back, and the headers."""
    port = server.server_address[1]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    given = {"Content-Type": "application/json"} if method == "POST" else {}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, given | named)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    told = dict(response.getheaders())
    if told["Content-Type"] == "application/json" and content:
        return response.status, json.loads(content), told
    return response.status, content.decode(), told


def test_several_probes_parse_as_each_by_itself(world: Path, probes: LiveProbes) -> None:
    assert probes.names == ["layer 0", "layer 1", "layer 2"]
    found = probes.parse("the dog  saw\ta cat")
    assert found["words"] == ["the", "dog", "saw", "a", "cat"]
    for layer, run in enumerate(found["runs"]):
        alone = ProbeRecoverer.from_pretrained(world / f"layer-{layer}", device="cpu")
        expected = alone.parse("the dog saw a cat").prediction
        assert run["heads"] == expected.heads.tolist()
        np.testing.assert_allclose(run["depths"], expected.depths, atol=1e-3)
        distances = np.reshape(run["distances"], (5, 5))
        np.testing.assert_allclose(distances, expected.distances, atol=1e-3)


def test_relations_come_with_the_trees_of_probes_that_have_them(
    probes: LiveProbes, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert all("deprels" not in run for run in probes.parse("the dog ran")["runs"])
    probe = probes.recoverers[1].probe
    plain = probe.predictions

    def named(X: Any) -> list[Any]:
        return [replace(one, deprels=("det", "nsubj", "root")) for one in plain(X)]

    monkeypatch.setattr(probe, "predictions", named)
    runs = json.loads(json.dumps(probes.parse("the dog ran")))["runs"]
    assert [run.get("deprels") for run in runs] == [None, ["det", "nsubj", "root"], None]


def test_the_probes_of_a_sweep(world: Path) -> None:
    probes = LiveProbes.load([world / "DIR"], device="cpu")
    assert probes.names == ["layer 0", "layer 1", "layer 2"]
    ranks = {len(one.probe.distance_components_) for one in probes.recoverers}
    assert len(ranks) == 1
    saved = [one.probe.saved_["dev_scores"]["uuas"] for one in probes.recoverers]
    assert saved[probes.best] == max(saved)
    few = LiveProbes.load([world / "DIR"], device="cpu", layers="0,2", rank=2)
    assert few.names == ["layer 0", "layer 2"]
    assert {len(one.probe.distance_components_) for one in few.recoverers} == {2}
    with pytest.raises(ResultError, match=r"holds no saved probes; .*save_probes=True"):
        LiveProbes.load([world / "unsaved"])
    with pytest.raises(ResultError, match=r"no saved probe has rank 3; saved: rank 2, 8"):
        LiveProbes.load([world / "DIR"], rank=3)
    with pytest.raises(ProbeError, match=r"layer 4 is out of range; the model has layers 0 to 2"):
        LiveProbes.load([world / "DIR"], layers="1-4")
    with pytest.raises(ProbeError, match=r"layers 1 were given, but this is not a results folder"):
        LiveProbes.load([world / "layer-0"], layers="1")
    with pytest.raises(ProbeError, match="nowhere"):
        LiveProbes.load([world / "nowhere"])


def test_probes_of_one_layer_are_told_apart(world: Path) -> None:
    probes = LiveProbes.load([world / "layer-1", world / "DIR"], device="cpu")
    assert probes.names[0] == "layer 0"
    assert probes.names[1] == "layer 1, layer-1"


def test_probes_on_other_vectors_are_refused(world: Path, tmp_path: Path) -> None:
    other = Encoder(str(world / "model"), pooling="first", device="cpu")
    fit_probe(other, *BANKS, layer=1, max_steps=2, out=tmp_path / "first")
    with pytest.raises(ProbeError, match="first: was fitted on different vectors"):
        LiveProbes.load([world / "layer-0", tmp_path / "first"], device="cpu")
    strange = Encoder(save_checkpoint(tmp_path / "model", "bert", seed=5), device="cpu")
    fit_probe(strange, *BANKS, layer=1, max_steps=2, out=tmp_path / "strange")
    with pytest.raises(ProbeError, match="but this is"):
        LiveProbes.load([world / "layer-0", tmp_path / "strange"], device="cpu")


@pytest.mark.fault_class("strangers")
def test_the_page(server: LiveServer) -> None:
    status, page, headers = ask(server, "GET", "/")
    assert status == 200
    assert page.startswith("<!DOCTYPE html>")
    assert "connect-src &#x27;self&#x27;" in page
    assert "unsafe" not in page.split("<style>")[0]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    status, nothing, told = ask(server, "HEAD", "/")
    assert (status, nothing) == (200, "")
    assert int(told["Content-Length"]) == len(page.encode())


@pytest.mark.fault_class("strangers")
def test_a_text_is_parsed_and_comes_back_as_json_alone(server: LiveServer) -> None:
    text = "<script>alert(1)</script> 👩‍👩‍👧 the"
    status, found, headers = ask(server, body=json.dumps({"text": text}))
    assert status == 200
    assert headers["Content-Type"] == "application/json"
    assert found["words"] == text.split()
    assert [run["name"] for run in found["runs"]] == ["layer 0", "layer 1", "layer 2"]
    again = ask(server, body=json.dumps({"text": text}), Content_Type="application/json; charset=x")
    assert again[1] == found


JSON = json.dumps({"text": "the dog"})
REFUSED: dict[str, tuple[int, dict[str, Any]]] = {
    "no words to parse": (400, {"body": json.dumps({"text": " \n "})}),
    f"the limit is {MOST_WORDS}": (400, {"body": json.dumps({"text": "a " * (MOST_WORDS + 1)})}),
    f"the limit is {MOST_CHARACTERS:,}": (400, {"body": json.dumps({"text": "a" * 2001})}),
    "cannot be written to CoNLL-U": (400, {"body": json.dumps({"text": "a\0b"})}),
    'send {"text"': (400, {"body": "{"}),
    "a sentence": (400, {"body": json.dumps(["the dog"])}),
    '"text": ': (400, {"body": json.dumps({"text": 3})}),
    "sentence": (400, {"body": b"[" * 9000}),
    "send application/json": (415, {"body": JSON, "Content_Type": "text/plain"}),
    "application/json": (415, {"body": "text=a", "Content_Type": "multipart/form-data"}),
    f"at most {MOST_BYTES:,}": (413, {"body": "x" * (MOST_BYTES + 1)}),
    "Content-Length": (411, {"body": "", "Content_Length": "-1"}),
    "unknown host name": (403, {"body": JSON, "Host": "evil.example:8000"}),
    "host name": (403, {"body": JSON, "Host": "[::"}),
    "other sites": (403, {"body": JSON, "Origin": "http://evil.example"}),
    "post texts to /parse": (404, {"path": "/pars", "body": JSON}),
    "the page is at /": (404, {"method": "GET", "path": "/etc/passwd"}),
    "requests from other": (403, {"method": "GET", "path": "/", "Origin": "null"}),
    "the IP address": (403, {"method": "GET", "path": "/", "Host": "evil.example"}),
    "Unsupported method": (501, {"method": "<b>", "path": "/"}),
}


@pytest.mark.fault_class("strangers")
@pytest.mark.parametrize("said", REFUSED)
def test_what_is_refused(said: str, server: LiveServer) -> None:
    status, request = REFUSED[said]
    found = ask(server, **request)
    assert found[0] == status
    assert said in found[1]["error"]
    assert found[2]["Content-Type"] == "application/json"


@pytest.mark.fault_class("strangers")
@pytest.mark.parametrize("name", ["localhost:1", "127.0.0.1", "[::1]:80", "192.168.0.7:8000"])
def test_names_that_are_this_machine(name: str, server: LiveServer) -> None:
    assert ask(server, "GET", "/", Host=name)[0] == 200


@pytest.mark.fault_class("strangers")
def test_a_fault_of_ours_is_not_told_to_the_page(
    server: LiveServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(text: str) -> None:
        raise RuntimeError("a secret path")

    monkeypatch.setattr(server.probes, "parse", broken)
    status, found, _ = ask(server, body=JSON)
    assert status == 500
    assert "secret" not in found["error"]
    assert "a secret path" in caplog.text


@pytest.mark.fault_class("strangers")
def test_a_broken_connection_stops_nothing(server: LiveServer) -> None:
    with socket.create_connection(server.server_address[:2]) as one:
        one.sendall(b"POST /parse HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{")
    with socket.create_connection(server.server_address[:2]) as one:
        one.sendall(b"\x00\xff not HTTP\r\n\r\n")
        assert b"error" in one.makefile("rb").read()
    assert ask(server, "GET", "/")[0] == 200


def test_a_port_in_use(server: LiveServer, capsys: pytest.CaptureFixture[str]) -> None:
    port = server.server_address[1]
    with pytest.raises(StructprobeError, match=f":{port}: the port is in use; pass another"):
        serve(lambda: pytest.fail("nothing is loaded"), port=port)
    assert main(["serve", "nowhere", "--port", str(port)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "the port is in use" in line
    with pytest.raises(StructprobeError, match="cannot listen on this address"):
        serve(lambda: pytest.fail("nothing is loaded"), host="no.such.host.invalid", port=0)


@pytest.mark.parametrize("port", ["x", "65536", "-1"])
def test_a_port_that_there_is_not(port: str) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["serve", "PROBE", "--port", port])
    assert stop.value.code == 2


def test_addresses_of_version_6() -> None:
    try:
        server = LiveServer("::1", 0)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with server:
        assert server.address == f"http://[::1]:{server.server_address[1]}/"


@pytest.mark.fault_class("strangers")
def test_an_open_address_is_warned_of(
    probes: LiveProbes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def interrupted(server: LiveServer) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(LiveServer, "serve_forever", interrupted)
    serve(lambda: probes, host="0.0.0.0", port=0)
    assert "anyone who can reach 0.0.0.0" in caplog.text
    caplog.clear()
    serve(lambda: probes, port=0)
    assert "everybody" not in caplog.text


@pytest.mark.slow
@pytest.mark.fault_class("interrupts")
def test_interruption_ends_it_cleanly(world: Path) -> None:
    command = [sys.executable, "-m", "structprobe", "serve", str(world / "layer-1"), "--port", "0"]
    with subprocess.Popen(
        [*command, "--device", "cpu"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        line = process.stdout.readline()
        assert line.startswith("http://127.0.0.1:")
        process.send_signal(signal.SIGINT)
        try:
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert (process.returncode, out) == (0, "")
    assert err.splitlines() == ["structprobe: stopped"]
