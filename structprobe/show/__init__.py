"""What a reader sees of result rows."""

from structprobe.show.table import format_table

__all__ = ["format_table"]
