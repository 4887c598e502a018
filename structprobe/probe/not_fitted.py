"""The error for a probe that is used before it is fitted."""

from __future__ import annotations

import sklearn.exceptions

from structprobe.errors import ProbeError


class NotFittedError(ProbeError, sklearn.exceptions.NotFittedError):
    """A probe is used before `fit`; it is also a ``sklearn.exceptions.NotFittedError``."""
