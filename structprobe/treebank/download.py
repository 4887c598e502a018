"""Downloading a file, with every error described in one line."""

from __future__ import annotations

import http.client
import re
import ssl
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, build_opener

from structprobe._version import __version__
from structprobe.errors import TreebankError
from structprobe.progress import progress_bar

TIMEOUT = 30.0  # seconds without a byte
CHUNK = 2**16
MAX_DOWNLOAD = 2**30  # the largest treebanks are a tenth of it, packed
NETWORK_HINT = (
    "check the network; set https_proxy to use a proxy, STRUCTPROBE_UD_URL to use a mirror"
)


class NotThereError(TreebankError):
    """The server responded, but does not have the file."""


def download(
    url: str, path: Path, *, timeout: float = TIMEOUT, progress: bool | None = None
) -> None:
    """Download one file, through the proxies that the environment sets."""
    if not url.startswith(("https://", "http://")):
        raise TreebankError("is not an http or https URL", path=url)
    try:
        # An opener of its own, since that of `urlopen` keeps the proxies of its first call.
        response = build_opener().open(
            Request(url, headers={"User-Agent": f"structprobe/{__version__}"}), timeout=timeout
        )
    except HTTPError as error:
        error.close()
        answer = f"the server responded {error.code} {error.reason}"
        if error.code in (404, 410):
            raise NotThereError(answer, path=url) from error
        raise TreebankError(answer, path=url, hint="try again later") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _unreachable(url, error) from error
    length = response.headers.get("Content-Length", "")
    total = int(length) if re.fullmatch("[0-9]{1,18}", length) else None
    bar = progress_bar("fetch", total, "B", shown=progress)
    with response, path.open("wb") as file, bar as advance:
        while chunk := _chunk(response, url):
            file.write(chunk)
            advance(len(chunk))
            if file.tell() > MAX_DOWNLOAD:
                raise TreebankError(f"larger than {MAX_DOWNLOAD} bytes", path=url)
        if total is not None and file.tell() != total:
            what = f"the download ended after {file.tell()} of {total} bytes"
            raise TreebankError(what, path=url, hint="try again")


def _chunk(response: http.client.HTTPResponse, url: str) -> bytes:
    """Read the next bytes of a response; none at its end."""
    try:
        return response.read(CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(url, error) from error


def _unreachable(url: str, error: Exception) -> TreebankError:
    """Say why no server answered, or why it stopped."""
    reason = error.reason if isinstance(error, URLError) else error
    match reason:
        case ssl.SSLError():
            why = f"secure connection failed: {reason}"
        case TimeoutError():
            why = "the server did not answer in time"
        case http.client.IncompleteRead():
            why = "the download ended too early"
        case OSError():
            why = f"the server cannot be reached: {reason.strerror or reason}"
        case _:
            why = f"unexpected response from the server: {reason}"
    return TreebankError(why, path=url, hint=NETWORK_HINT)
