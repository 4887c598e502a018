"""How objects are shown in notebooks: a small table of labels and values."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape


def html_table(title: str, rows: Mapping[str, object]) -> str:
    """Write a table with one row per label; all text is escaped."""
    body = "".join(
        f'<tr><th style="text-align:left">{escape(label)}</th>'
        f'<td style="text-align:left">{escape(str(value))}</td></tr>'
        for label, value in rows.items()
    )
    return (
        f'<table><caption style="text-align:left">{escape(title)}</caption>'
        f"<tbody>{body}</tbody></table>"
    )
