"""Fetching a treebank by name, from a server on the loopback; nothing half-written stays."""

from __future__ import annotations

import gzip
import socket
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.ud_server import SENTENCE, Server, good_files, make_archive, serving

from structprobe.errors import TreebankError
from structprobe.treebank import archive, download
from structprobe.treebank.fetch import check_release, fetch_treebank, require_clean
from structprobe.treebank.ud_names import known_names, nearest_names

TOP = "UD_Toy-One-r2.16"
KEPT = ["LICENSE.txt", "README.md", "toy_one-ud-test.conllu", "toy_one-ud-train.conllu"]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with serving() as served:
        monkeypatch.setenv("STRUCTPROBE_UD_URL", f"{served.url}/")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield served


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def refuse(said: str, folder: Path, name: str = "UD_Toy-One", **options: object) -> str:
    """Fetch in vain, and see that nothing is left behind."""
    before = names_in(folder.parent) if folder.parent.is_dir() else None
    with pytest.raises(TreebankError, match=said) as caught:
        fetch_treebank(name, folder, progress=False, **options)  # type: ignore[arg-type]
    if before is not None:
        assert names_in(folder.parent) == before
    return str(caught.value)


def test_a_good_treebank_arrives_whole(server: Server, tmp_path: Path) -> None:
    server.put("UD_Toy-One", make_archive(good_files()))
    folder = tmp_path / "new" / "toy"
    parts = fetch_treebank("UD_Toy-One", folder, progress=False)
    assert server.asked == ["/UD_Toy-One/archive/refs/tags/r2.16.tar.gz"]
    assert names_in(folder) == KEPT
    assert names_in(tmp_path / "new") == ["toy"]
    assert names_in(tmp_path) == ["new"]
    assert (folder / "LICENSE.txt").read_text(encoding="utf-8") == "CC0"
    counts = {part: (one.n_sentences, one.n_words) for part, one in parts.items()}
    assert counts == {"train": (2, 4), "test": (1, 2)}
    assert parts["train"].paths == (folder / "toy_one-ud-train.conllu",)
    require_clean(parts)


def test_a_bar_is_drawn_where_it_is_asked_for(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.put("UD_Toy-One", make_archive(good_files()))
    fetch_treebank("UD_Toy-One", tmp_path / "a", progress=True)
    assert "fetch: 100%" in capsys.readouterr().err
    fetch_treebank("UD_Toy-One", tmp_path / "b")  # stderr is no terminal here
    assert capsys.readouterr().err == ""


def test_the_old_folder_comes_back_where_the_new_cannot_be_moved(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.put("UD_Toy-One", make_archive(good_files()))
    folder = tmp_path / "toy"
    folder.mkdir()
    (folder / "README").write_text("mine", encoding="utf-8")
    rename = Path.rename

    def fail_on_files(self: Path, target: Path) -> Path:
        if self.name.endswith(".draft"):
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_on_files)
    monkeypatch.setattr("structprobe.drafts._exchange", lambda *_: False)  # as on other systems
    refuse("cannot be written: No space left on device", folder, force=True)
    assert (folder / "README").read_text(encoding="utf-8") == "mine"


@pytest.mark.fault_class("strangers")
def test_a_server_that_talks_nonsense(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        monkeypatch.setenv("STRUCTPROBE_UD_URL", f"http://127.0.0.1:{listening.getsockname()[1]}")
        for answer, said in [
            (b"SSH-2.0\r\n", "unexpected response"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc", "ended too early"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: %b\r\n\r\nabc" % (b"9" * 5000), "not a compl"),
        ]:
            thread = threading.Thread(target=_answer_one, args=(listening, answer))
            thread.start()
            refuse(said, tmp_path / "x")
            thread.join()


def _answer_one(listening: socket.socket, answer: bytes) -> None:
    connection, _ = listening.accept()
    with connection:
        connection.recv(2**16)
        connection.sendall(answer)


def test_another_release_is_another_tag(server: Server, tmp_path: Path) -> None:
    server.put("UD_Toy-One", make_archive(good_files()), release="2.9")
    fetch_treebank("UD_Toy-One", tmp_path / "toy", release="2.9", progress=False)
    assert server.asked == ["/UD_Toy-One/archive/refs/tags/r2.9.tar.gz"]


def test_proxies_of_the_environment_are_used(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "http://treebanks.invalid"
    path = server.put("UD_Toy-One", make_archive(good_files()))
    server.bodies[url + path] = server.bodies.pop(path)
    monkeypatch.setenv("STRUCTPROBE_UD_URL", url)
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.delenv("no_proxy")
    fetch_treebank("UD_Toy-One", tmp_path / "toy", progress=False)
    assert server.asked == [url + path]


def test_a_missing_release_of_a_known_treebank(server: Server, tmp_path: Path) -> None:
    said = refuse("no release 2.99 of UD_English-EWT", tmp_path / "x", "UD_English-EWT",
                  release="2.99")  # fmt: skip
    assert "404" in said
    assert "pass release='2.16', or another" in said


@pytest.mark.parametrize(
    "name", ["UD_English-EWTT", "English-EWT", "ud_english-ewt", "english/ewt"]
)
def test_a_typo_shows_the_nearest_names(server: Server, tmp_path: Path, name: str) -> None:
    said = refuse("did you mean UD_English-EWT( or UD_[^ ]+)*\\?", tmp_path / "x", name)
    assert said.startswith(f"unknown treebank {name!r}; did you mean UD_English-EWT")
    # Only what may be a name is asked for; no slash reaches the address.
    assert len(server.asked) == (name == "UD_English-EWTT")


def test_a_part_of_a_name_shows_the_names_that_hold_it() -> None:
    assert nearest_names("EWT") == ["UD_English-EWT", "UD_Estonian-EWT"]
    assert nearest_names("ud_english-ew") == ["UD_English-EWT"]
    english = nearest_names("english", n=99)
    assert {"UD_English-EWT", "UD_English-GUM"} <= set(english)
    assert all(name.startswith("UD_English-") for name in english[:5])
    assert all("english" in name.casefold() for name in english)
    assert nearest_names("Sequoia", n=1) == ["UD_French-Sequoia"]
    assert nearest_names("") == nearest_names("UD_Toy-One") == []


def test_a_slash_behind_a_name_does_not_matter(server: Server, tmp_path: Path) -> None:
    server.put("UD_Toy-One", make_archive(good_files()))
    fetch_treebank("UD_Toy-One/", tmp_path / "toy", progress=False)
    assert server.asked == ["/UD_Toy-One/archive/refs/tags/r2.16.tar.gz"]


def test_a_name_like_no_other(server: Server, tmp_path: Path) -> None:
    refuse("see universaldependencies.org for the names", tmp_path / "x", "UD_Qqqqqqqqqqqqqq-ZZ9")


def test_other_answers_are_told(server: Server, tmp_path: Path) -> None:
    path = server.put("UD_Toy-One", b"")
    del server.bodies[path]
    server.statuses[path] = 503
    refuse("the server responded 503 .*; try again later", tmp_path / "x")


def test_no_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as bound:  # bound and not listening: connections are refused
        bound.bind(("127.0.0.1", 0))
        monkeypatch.setenv("STRUCTPROBE_UD_URL", f"http://127.0.0.1:{bound.getsockname()[1]}")
        refuse("cannot be reached: .*refused; check the network", tmp_path / "x")
        # A typo, all the same, and that is what is told first.
        said = refuse("^unknown treebank 'UD_Englsh-EWT'; did you mean UD_English-EWT",
                      tmp_path / "x", "UD_Englsh-EWT")  # fmt: skip
        assert said.partition("?")[2].startswith(" (and it was not found: http://127.0.0.1:")
        assert said.endswith("refused)")
        assert "unknown" not in refuse("check the network", tmp_path / "x", "UD_English-EWT")


def test_a_silent_server_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("STRUCTPROBE_UD_URL", f"http://{address}")
        refuse("did not answer in time", tmp_path / "x", timeout=0.05)


def test_no_tls_where_it_is_promised(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRUCTPROBE_UD_URL", server.url.replace("http:", "https:"))
    refuse("secure connection failed", tmp_path / "x")


@pytest.mark.fault_class("strangers")
@pytest.mark.parametrize("url", ["file:///etc", "mirror", "http://[broken"])
def test_addresses_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("STRUCTPROBE_UD_URL", url)
    refuse("is not an http or https URL|unexpected response", tmp_path / "x")


@pytest.mark.fault_class("strangers")
def test_a_download_that_ends_too_early(server: Server, tmp_path: Path) -> None:
    body = make_archive(good_files())
    path = server.put("UD_Toy-One", body[:-100])
    server.lengths[path] = len(body)
    refuse(f"ended after {len(body) - 100} of {len(body)} bytes", tmp_path / "x")
    del server.lengths[path]  # and where the server itself does not know better
    refuse("not a complete archive", tmp_path / "x")


@pytest.mark.fault_class("strangers")
@pytest.mark.parametrize(
    "body", [b"", b"<html>log in first</html>", gzip.compress(b"no tar" * 999, mtime=0)]
)
def test_what_is_no_archive(server: Server, tmp_path: Path, body: bytes) -> None:
    server.put("UD_Toy-One", body)
    refuse("not a complete archive", tmp_path / "x")


@pytest.mark.fault_class("strangers")
def test_a_damaged_archive(server: Server, tmp_path: Path) -> None:
    body = bytearray(make_archive(good_files()))
    body[-6] ^= 1  # the checksum
    server.put("UD_Toy-One", bytes(body))
    refuse("not a complete archive: CRC", tmp_path / "x")


@pytest.mark.fault_class("strangers")
@pytest.mark.parametrize("name", [f"{TOP}/../../evil.conllu", "/evil.conllu", "../evil.conllu"])
def test_no_file_leads_outside(server: Server, tmp_path: Path, name: str) -> None:
    server.put("UD_Toy-One", make_archive(good_files() | {name: "evil"}))
    refuse("points outside the archive's folder", tmp_path / "deep" / "x")
    assert names_in(tmp_path) == []


@pytest.mark.fault_class("strangers")
@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_no_links(server: Server, tmp_path: Path, kind: bytes) -> None:
    link = tarfile.TarInfo(f"{TOP}/toy_one-ud-dev.conllu")
    link.type, link.linkname = kind, "/etc/passwd"
    server.put("UD_Toy-One", make_archive(good_files() | {"link": link}))
    refuse("is a link or a device", tmp_path / "x")


@pytest.mark.fault_class("strangers")
def test_no_file_twice(server: Server, tmp_path: Path) -> None:
    files = good_files() | good_files("another")
    server.put("UD_Toy-One", make_archive(files))
    refuse("occurs twice", tmp_path / "x")


@pytest.mark.fault_class("strangers")
def test_no_archive_without_a_part(server: Server, tmp_path: Path) -> None:
    server.put("UD_Toy-One", make_archive({f"{TOP}/README.md": "soon"}))
    refuse("contains no UD treebank files", tmp_path / "x")


@pytest.mark.fault_class("strangers")
@pytest.mark.parametrize(
    ("claimed", "told"),
    [(2**32 - 2**20, "is not a complete archive"), (2**32 + 1, "unpacks to more than 4294967296")],
)
def test_sizes_that_an_archive_claims(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, claimed: int, told: str
) -> None:
    member = tarfile.TarInfo(f"{TOP}/zeros")
    member.size = claimed
    server.put("UD_Toy-One", make_archive(good_files() | {"zeros": member}))
    monkeypatch.setattr(archive, "SMALL", 2**40)  # as if the archive itself were large
    refuse(told, tmp_path / "x")


@pytest.mark.fault_class("strangers")
def test_sizes_are_capped(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What is left out counts too, for it has to be unfolded to be passed over.
    bomb = good_files() | {f"{TOP}/zeros": "0" * 50_000}
    server.put("UD_Toy-One", make_archive(bomb))
    monkeypatch.setattr(archive, "MAX_UNPACKED", 40_000)
    refuse("unpacks to more than 40000 bytes", tmp_path / "x")
    whole = sum(len(text.encode()) for text in bomb.values())
    monkeypatch.setattr(archive, "MAX_UNPACKED", whole - 1)
    refuse(f"unpacks to more than {whole - 1} bytes", tmp_path / "x")
    monkeypatch.undo()
    monkeypatch.setenv("STRUCTPROBE_UD_URL", server.url)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    tail = gzip.compress(bytes(2**20))  # gzip files joined unfold to one
    server.put("UD_Toy-One", make_archive(good_files()) + tail)
    refuse("too much data after the last file", tmp_path / "x")
    monkeypatch.setattr(download, "MAX_DOWNLOAD", 100)
    refuse("larger than 100 bytes", tmp_path / "x")


def test_faults_are_counted_and_the_files_kept(server: Server, tmp_path: Path) -> None:
    files = good_files()
    files[f"{TOP}/toy_one-ud-train.conllu"] = SENTENCE + SENTENCE.replace("\t0\t", "\t1\t")
    files[f"{TOP}/toy_one-ud-test.conllu"] = "nonsense\n"
    server.put("UD_Toy-One", make_archive(files))
    parts = fetch_treebank("UD_Toy-One", tmp_path / "toy", progress=False)
    counts = [(one.n_sentences, one.n_words, len(one.faults)) for one in parts.values()]
    assert counts == [(1, 2, 1), (0, 0, 1)]
    said = r"errors \(1 in train, 1 in test\), the first: .*train.conllu:.*its files were kept"
    with pytest.raises(TreebankError, match=said):
        require_clean(parts)
    assert names_in(tmp_path / "toy") == KEPT


def test_nothing_is_overwritten_unasked(server: Server, tmp_path: Path) -> None:
    server.put("UD_Toy-One", make_archive(good_files()))
    folder = tmp_path / "toy"
    folder.mkdir()
    fetch_treebank("UD_Toy-One", folder, progress=False)  # an empty folder may be there
    (folder / "README.old").write_text("mine", encoding="utf-8")
    refuse("already exists; choose another folder, or pass force=True", folder)
    assert names_in(folder) == sorted([*KEPT, "README.old"])
    assert len(server.asked) == 1
    fetch_treebank("UD_Toy-One", folder, force=True, progress=False)
    assert names_in(folder) == KEPT
    assert names_in(tmp_path) == ["toy"]


def test_force_keeps_the_old_where_the_new_does_not_come(server: Server, tmp_path: Path) -> None:
    (tmp_path / "README").write_text("mine", encoding="utf-8")
    refuse("contains no UD_Toy-One", tmp_path, force=True)
    assert names_in(tmp_path) == ["README"]


@pytest.mark.fault_class("strangers")
@pytest.mark.parametrize("held", ["thesis.tex", "notes.conllu/"])
def test_force_replaces_treebanks_only(server: Server, tmp_path: Path, held: str) -> None:
    path = tmp_path / held
    path.mkdir() if held.endswith("/") else path.touch()
    refuse("was not replaced: it contains", tmp_path, force=True)
    assert path.exists()
    assert server.asked == []


def test_targets_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine", encoding="utf-8")
    refuse("exists and is not a folder", file, force=True)
    refuse("cannot be written: Not a directory", file / "below")
    assert file.read_text(encoding="utf-8") == "mine"
    assert server.asked == []


@pytest.mark.fault_class("strangers")
@pytest.mark.parametrize("release", ["2", "r2.16", "2.16/..", "2.16\n", "", "٢.١"])
def test_releases_are_numbers(tmp_path: Path, release: str) -> None:
    refuse("is not a UD release; give a number such as", tmp_path / "x", release=release)
    assert check_release("2.16") == "2.16"


def test_the_known_names_are_names() -> None:
    from structprobe.treebank.fetch import NAME

    names = known_names()
    assert len(names) == len(set(names)) > 300
    assert names == sorted(names)
    assert all(NAME.fullmatch(name) for name in names)
    assert nearest_names("UD_Frensh-Sequoia")[0] == "UD_French-Sequoia"
