"""One page of a folder of results or of a saved probe: tables, curves, an explorer of sentences."""

from structprobe.show.report.writing import build_report, write_report

__all__ = ["build_report", "write_report"]
