"""What the probe is held against: the same probe where there is no context, or no training."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

from structprobe.recoverers.base import Setting
from structprobe.recoverers.best_layer import BestLayer


class LayerZero(BestLayer):
    """The probe on layer 0, where no word knows its neighbours: what words alone tell."""

    name = "probe-layer-0"
    order = 90

    @classmethod
    def for_model(cls, setting: Setting, **told: Any) -> Self:
        """Make it as a comparison does.

        Parameters
        ----------
        setting : Setting
            The model and what else all methods share.
        **told
            Further arguments of the class.

        Returns
        -------
        LayerZero
            Not fitted.
        """
        return super().for_model(setting, layers=(0,), **told)


class UntrainedProbe(BestLayer):
    """The probe on the best layer of the same model with random weights."""

    name = "probe-untrained"
    order = 91

    @classmethod
    def for_model(cls, setting: Setting, **told: Any) -> Self:
        """Make it as a comparison does, on weights drawn by the setting's seed.

        Parameters
        ----------
        setting : Setting
            The model and what else all methods share.
        **told
            Further arguments of the class.

        Returns
        -------
        UntrainedProbe
            Not fitted.
        """
        untrained = setting.encoder.untrained(setting.seed)
        return super().for_model(replace(setting, encoder=untrained), **told)
