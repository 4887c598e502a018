"""Read the matrices of earlier research code as fitted probes."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from structprobe.errors import ProbeError
from structprobe.probe.estimator import StructuralProbe
from structprobe.probe.saving.save_load import COMPONENTS, SavedProbe
from structprobe.stored_files import read_stored

MATRIX = "proj"


def read_projection(path: str | os.PathLike[str]) -> NDArray[np.float32]:
    """Read the matrix of one probe from the ``predictor.params`` of earlier research code.

    The file is the state dict of a torch module whose only parameter, ``proj``, of shape
    (hidden_size, rank), projects a word vector as ``h @ proj`` (the code of Hewitt & Manning
    2019). No code from the file is run.

    Parameters
    ----------
    path : path
        The file.

    Returns
    -------
    ndarray of float32, shape (rank, hidden_size)
        The matrix B of the paper: squared distances are those of ``B @ h``.

    Raises
    ------
    ProbeError
        If the file cannot be read, would run code, or contains no such matrix.
    """
    where = str(path)
    content = read_stored(Path(path), Path(os.path.realpath(path)).parent, ProbeError)
    try:
        _refuse_bomb(content)
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # invalid pickles raise errors of any type
        told = "not a file of plain tensors written by torch.save"
        hint = "files that would run code when read are rejected"
        raise ProbeError(told, where=where, hint=hint) from error
    found = state.get(MATRIX) if isinstance(state, dict) else None
    if (
        not isinstance(found, torch.Tensor)
        or found.layout != torch.strided
        or found.ndim != 2
        or not found.numel()
        or found.is_complex()
        or found.is_quantized
        or found.device.type != "cpu"
        or found.numel() > found.untyped_storage().nbytes()  # one number, shown as many
    ):
        names = ", ".join(map(str, state)) if isinstance(state, dict) else type(state).__name__
        raise ProbeError(
            f"contains no matrix of real numbers named {MATRIX!r}",
            where=where,
            hint=f"it contains: {names or 'nothing'}",
        )
    matrix: NDArray[np.float32] = found.detach().float().numpy().T  # (rank, hidden_size)
    if not np.isfinite(matrix).all():
        raise ProbeError(f"{MATRIX!r} is not finite", where=where)
    return np.ascontiguousarray(matrix)


def _refuse_bomb(content: bytes) -> None:
    """Refuse an archive that unpacks to more than it holds: torch writes archives unpacked."""
    if zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(one.file_size for one in archive.infolist()) > 2 * len(content):
                raise ProbeError("packed data")


def probe_from_projections(
    distance: str | os.PathLike[str],
    depth: str | os.PathLike[str],
    *,
    origin: Mapping[str, object] | None = None,
) -> StructuralProbe:
    """Make a fitted probe from two files of earlier research code.

    Parameters
    ----------
    distance, depth : path
        ``predictor.params`` of a distance probe and of a depth probe for the same vectors. If the
        ranks differ, the smaller is padded with zeros, which changes no distance.
    origin : mapping, optional
        Where the vectors come from, as in `WordVectors.origin`; vectors from another origin are
        then rejected.

    Returns
    -------
    StructuralProbe
        The fitted probe.

    Raises
    ------
    ProbeError
        As for `read_projection`, or if the two are for vectors of different width.
    """
    matrices = [read_projection(path) for path in (distance, depth)]
    width, other = (matrix.shape[1] for matrix in matrices)
    if width != other:
        told = f"the distance probe is for vectors of width {width}, the depth probe for width"
        raise ProbeError(f"{told} {other}", where=str(depth))
    rank = max(map(len, matrices))
    filled = (np.pad(matrix, ((0, rank - len(matrix)), (0, 0))) for matrix in matrices)
    return StructuralProbe._from_saved(
        SavedProbe(
            dict(zip(COMPONENTS, filled, strict=True)),
            {"rank": rank, "recipe": "published"},
            history={},
            origin=None if origin is None else dict(origin),
        )
    )
