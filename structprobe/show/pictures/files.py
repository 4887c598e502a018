"""Pictures as files: PDF, SVG or PNG, the same bytes for the same picture."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from structprobe.drafts import draft_file
from structprobe.draw.svg import Svg
from structprobe.errors import Hint, ResultError, unknown_name
from structprobe.output_paths import disk_hint
from structprobe.progress import progress_bar
from structprobe.results.folder import MARKER
from structprobe.show.pictures.library import load_matplotlib
from structprobe.show.pictures.trees import to_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("pdf", "svg", "png")
MARK = "structprobe plot"  # in each file, by which a later run knows it for its own


def check_figures(out: str | os.PathLike[str]) -> None:
    """Refuse a place that is not for figures: a file, or a results folder."""
    if Path(out).suffix.lower() in (".pdf", ".svg", ".png") and not Path(out).is_dir():
        told = "figures go into a folder; choose their format with"
        hint: str = Hint(f"{told} formats=", shell=f"{told} --format")
        raise ResultError("is the name of a file, not of a folder", where=str(out), hint=hint)
    if (Path(out) / MARKER).exists():
        hint = f"choose another folder for the figures, such as {Path(out) / 'figures'}"
        raise ResultError("is a results folder", where=str(out), hint=hint)


def write_pictures(
    pictures: Mapping[str, Figure | Svg],
    out: str | os.PathLike[str],
    *,
    formats: Sequence[str] = ("pdf",),
    force: bool = False,
    progress: bool | None = None,
) -> list[Path]:
    """Write pictures into a folder, over those of an earlier run at most unless `force`."""
    for one in formats:
        if one not in FORMATS:
            raise ResultError(unknown_name("format", one, FORMATS))
    paths = {
        Path(out) / f"{name}.{one}": (picture, one)
        for name, picture in pictures.items()
        for one in dict.fromkeys(formats)
    }
    if Path(out).exists() and not Path(out).is_dir():
        raise ResultError("is a file, not a folder", where=str(out))
    there = [path for path in paths if path.exists() and not _is_ours(path)]
    if there and not force:
        hint = Hint(
            "choose another folder, or pass force=True to replace the files",
            shell="choose another folder, or use --force to replace the files",
        )
        raise ResultError(f"{there[0].name} already exists", where=str(out), hint=hint)
    contents = {}
    with progress_bar("draw", len(paths), "file", shown=progress) as advance:
        for path, both in paths.items():
            contents[path] = _rendered(*both)
            advance(1)
    try:
        Path(out).mkdir(parents=True, exist_ok=True)
        for path, content in contents.items():
            with draft_file(path) as file:
                file.write(content)
    except OSError as error:
        what = f"cannot write figures: {error.strerror or error}"
        raise ResultError(what, where=str(out), hint=disk_hint(error) or None) from error
    return list(paths)


def _is_ours(path: Path) -> bool:
    return path.is_file() and MARK.encode() in path.read_bytes()


def _rendered(picture: Figure | Svg, form: str) -> bytes:
    if isinstance(picture, Svg):
        if form == "svg":
            return f"{picture}\n<!-- {MARK} -->\n".encode()
        picture = to_figure(picture)
    content = io.BytesIO()
    # Letters stay text that can be searched and edited; nothing in the file tells the time.
    settings = {"svg.hashsalt": "structprobe", "pdf.fonttype": 42}
    metadata = {
        "pdf": {"CreationDate": None, "Creator": MARK},
        "svg": {"Date": None, "Creator": MARK},
        "png": {"Software": MARK},
    }[form]
    with load_matplotlib().rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # `fonts_for` has told
        picture.savefig(content, format=form, dpi=200, metadata=metadata, bbox_inches="tight")
    return content.getvalue()
