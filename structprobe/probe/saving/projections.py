"""Matrices of earlier research code, read as fitted probes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from structprobe.errors import ProbeError
from structprobe.probe.estimator import StructuralProbe
from structprobe.probe.saving.saved_files import COMPONENTS, SavedProbe

MATRIX = "proj"


def read_projection(path: str | os.PathLike[str]) -> NDArray[np.float32]:
    """Read the matrix of one probe from the ``predictor.params`` of earlier research code.

    The file is the state of a torch module whose one parameter, ``proj``, has the shape
    (hidden_size, rank) and projects a word vector as ``h @ proj`` (the code of Hewitt & Manning
    2019). It is read by torch's restricted unpickler, which runs no code of the file.

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
        If there is no such file, it is no torch file, wants to run code, or holds no such matrix.
    """
    where = str(path)
    try:
        state = torch.load(Path(path), map_location="cpu", weights_only=True)
    except OSError as error:
        raise ProbeError(f"cannot be read: {error.strerror or error}", where=where) from error
    except Exception as error:  # what bytes that are no pickle raise has no end
        raise ProbeError(
            "not a file of plain tensors as torch.save writes them",
            where=where,
            hint="files that would run code when they are read are refused",
        ) from error
    return _matrix(state, where)


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
        ``predictor.params`` of a distance probe and of a depth probe over the same vectors. The
        smaller of two ranks is filled up with zeros, which changes no distance.
    origin : mapping, optional
        Where its vectors come from, as `WordVectors` carry it; vectors of another origin are then
        refused.

    Returns
    -------
    StructuralProbe
        As if fitted; it can be saved.

    Raises
    ------
    ProbeError
        As `read_projection`, or if the two are for vectors of different width.
    """
    matrices = [read_projection(path) for path in (distance, depth)]
    widths = [matrix.shape[1] for matrix in matrices]
    if widths[0] != widths[1]:
        raise ProbeError(
            f"the distance probe is for vectors of {widths[0]} numbers, the depth probe of "
            f"{widths[1]}",
            where=str(depth),
        )
    rank = max(len(matrix) for matrix in matrices)
    filled = (np.pad(matrix, ((0, rank - len(matrix)), (0, 0))) for matrix in matrices)
    return StructuralProbe._from_saved(
        SavedProbe(
            dict(zip(COMPONENTS, filled, strict=True)),
            {"rank": rank, "recipe": "published"},
            history={},
            origin=None if origin is None else dict(origin),
        )
    )


def _matrix(state: Any, where: str) -> NDArray[np.float32]:
    """Find the matrix in the state of a module, and turn it as we have it."""
    found = state.get(MATRIX) if isinstance(state, dict) else None
    if (
        not isinstance(found, torch.Tensor)
        or found.layout != torch.strided
        or found.ndim != 2
        or not found.numel()
        or found.is_complex()
    ):
        names = ", ".join(map(str, state)) if isinstance(state, dict) else type(state).__name__
        raise ProbeError(
            f"holds no matrix of real numbers called {MATRIX!r}",
            where=where,
            hint=f"it holds: {names or 'nothing'}",
        )
    matrix: NDArray[np.float32] = found.detach().float().numpy().T  # (rank, hidden_size)
    if not np.isfinite(matrix).all():
        raise ProbeError(f"{MATRIX!r} is not finite", where=where)
    return np.ascontiguousarray(matrix)
