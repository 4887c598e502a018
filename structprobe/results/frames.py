"""Result rows as a pandas table, where pandas is there."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from structprobe.errors import ResultError
from structprobe.results.folder import read_rows
from structprobe.results.rows import ROW_KEYS, Row


def to_frame(rows: str | os.PathLike[str] | Iterable[Row]) -> Any:
    """Give result rows as a pandas table.

    Parameters
    ----------
    rows : path or iterable of dict
        A folder of results, or rows as `sweep` and `compare` return them.

    Returns
    -------
    pandas.DataFrame
        One row a run, columns in the order of `ROW_KEYS`; scores are fractions.

    Raises
    ------
    ResultError
        If pandas is not installed, or the folder is no folder of results.
    """
    try:
        import pandas
    except ImportError as error:
        hint = "install it with: pip install 'structprobe[pandas]'"
        raise ResultError("a table needs pandas, which is not installed", hint=hint) from error
    found = read_rows(rows) if isinstance(rows, str | os.PathLike) else list(rows)
    return pandas.DataFrame(found, columns=list(ROW_KEYS))
