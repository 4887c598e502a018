"""A server on the loopback that hands out made-up archives, as the release repositories do."""

from __future__ import annotations

import io
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SENTENCE = """\
# sent_id = {name}
1\tdogs\tdog\tNOUN\tNNS\t_\t2\tnsubj\t_\t_
2\tbark\tbark\tVERB\tVBP\t_\t0\troot\t_\t_

"""


def make_archive(files: dict[str, str | tarfile.TarInfo]) -> bytes:
    """Pack files by their name, or members as they are, into a ``.tar.gz``."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            if isinstance(content, tarfile.TarInfo):
                head = content.tobuf(archive.format)  # `addfile` wants the content that it claims
                assert archive.fileobj is not None
                archive.fileobj.write(head)
                archive.offset += len(head)
                continue
            member = tarfile.TarInfo(name)
            member.size = len(content.encode())
            archive.addfile(member, io.BytesIO(content.encode()))
    return packed.getvalue()


def good_files(top: str = "UD_Toy-One-r2.16") -> dict[str, str | tarfile.TarInfo]:
    """Give a treebank as its repository has it, with much that nobody wants."""
    return {
        "pax_global_header": "",
        f"{top}/toy_one-ud-train.conllu": SENTENCE.format(name="a") + SENTENCE.format(name="b"),
        f"{top}/toy_one-ud-test.conllu": SENTENCE.format(name="c"),
        f"{top}/LICENSE.txt": "CC0",
        f"{top}/README.md": "# A toy",
        f"{top}/stats.xml": "<stats/>",
        f"{top}/not-to-release/old-ud-train.conllu": "nonsense",
    }


class Server:
    """What the server hands out by path, and what it was asked for."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}
        self.lengths: dict[str, int] = {}  # where it promises another length than it sends
        self.statuses: dict[str, int] = {}
        self.asked: list[str] = []
        self.url = ""

    def put(self, name: str, body: bytes, release: str = "2.16") -> str:
        """Hand out an archive as that release of a treebank."""
        path = f"/{name}/archive/refs/tags/r{release}.tar.gz"
        self.bodies[path] = body
        return path


@contextmanager
def serving() -> Iterator[Server]:
    """Serve on a free port of the loopback."""
    served = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(self.path)
            body = served.bodies.get(self.path)
            if body is None:
                self.send_error(served.statuses.get(self.path, 404))
                return
            self.send_response(200)
            self.send_header("Content-Length", str(served.lengths.get(self.path, len(body))))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()
