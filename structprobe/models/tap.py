"""Which vectors of a model are read: of which part, at which site, of how many layers at once."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral

from structprobe.errors import EncoderError, unknown_name
from structprobe.models.inside.sites import RESIDUAL, check_site
from structprobe.models.text_part import PARTS


@dataclass(frozen=True)
class Tap:
    """What is read in each layer."""

    site: str = RESIDUAL
    part: str | None = None  # "decoder" of an encoder-decoder model; None for the usual one
    window: int = 1  # Layers whose mean is taken, the layer in the middle

    def __post_init__(self) -> None:
        check_site(self.site)
        if self.part is not None and self.part not in PARTS:
            raise EncoderError(unknown_name("part", self.part, PARTS))
        whole = isinstance(self.window, Integral) and not isinstance(self.window, bool)
        if not whole or self.window < 1 or self.window % 2 == 0:
            what = f"window must be an odd number of layers, 1 or more, got {self.window!r}"
            raise EncoderError(what, hint="3 averages a layer with the one below and the one above")

    @property
    def name(self) -> str:
        """What is added to the fingerprint of the model, if anything."""
        return "".join(
            f"-{key}{value}" if key == "window" else f"-{value}"
            for key, value in self.chosen.items()
            if value is not None
        )

    @property
    def chosen(self) -> dict[str, str | int | None]:
        """Give what is said in rows; None where the usual was chosen."""
        return {
            "model_part": self.part,
            "window": None if self.window == 1 else int(self.window),
            "site": None if self.site == RESIDUAL else self.site,
        }

    def check_depth(self, n_layers: int, name: str) -> None:
        """Refuse to average more layers than there are, which leaves nothing to compare."""
        if self.window > n_layers + 1:
            what = f"window {self.window} is more than the {n_layers + 1} layers of {name!r}"
            raise EncoderError(what, hint="choose a smaller odd number (layer 0 included)")

    def averaged(self, layer: int, available: tuple[int, ...]) -> list[int]:
        """List the layers whose mean stands for a layer, of those that there are."""
        return [one for one in available if abs(one - layer) <= self.window // 2]


USUAL = Tap()
