"""Treebanks told apart by what is in them: many are called test.conllu."""

from __future__ import annotations

from collections.abc import Sequence

from structprobe.experiments.rows import Row

_DIGITS = 6  # of a fingerprint, enough to tell a few treebanks apart


def name_banks(rows: Sequence[Row]) -> list[Row]:
    """Name treebanks so that two never share a name.

    Parameters
    ----------
    rows : sequence of dict
        Result rows.

    Returns
    -------
    list of dict
        The rows; where several treebanks, or several training sets, have one file name, the
        first digits of their fingerprints stand behind it.
    """
    for name, fingerprint in (
        ("treebank", "treebank_fingerprint"),
        ("train", "train_fingerprint"),
    ):
        found: dict[object, set[object]] = {}
        for row in rows:
            if row[fingerprint] is not None:
                found.setdefault(row[name], set()).add(row[fingerprint])
        rows = [
            row | {name: f"{row[name]} ({row[fingerprint][:_DIGITS]})"}
            if row[fingerprint] is not None and len(found[row[name]]) > 1
            else row
            for row in rows
        ]
    return list(rows)


def banks_of(rows: Sequence[Row]) -> dict[object, str]:
    """Give the treebanks that rows are scored on.

    Parameters
    ----------
    rows : sequence of dict
        Result rows, with the names of `name_banks`.

    Returns
    -------
    dict of str to str
        Their names by their fingerprints, in the order of the rows.
    """
    return {
        row["treebank_fingerprint"]: str(row["treebank"])
        for row in rows
        if row["treebank_fingerprint"] is not None
    }
