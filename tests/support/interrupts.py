"""Ctrl-C in tests that run in the background."""

from __future__ import annotations

import signal


def heed_interrupts() -> None:
    """Take SIGINT back where the shell that put us into the background has it ignored.

    What ignores a signal hands that on to all that it starts, and Python then does not raise
    KeyboardInterrupt: a command that a test interrupts would go on for ever.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
