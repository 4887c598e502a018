"""The error of using a probe before it is fitted, which is also scikit-learn's."""

from __future__ import annotations

import sklearn.exceptions

from structprobe.errors import ProbeError


class NotFittedError(ProbeError, sklearn.exceptions.NotFittedError):
    """A probe was used before `fit`; caught by ``except sklearn.exceptions.NotFittedError`` too."""
