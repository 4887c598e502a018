"""`Swap`: give words the vectors of words of another sentence (patching)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from structprobe.behaviour.interventions.base import Intervention, find_encoder, place_of_layer
from structprobe.errors import EncoderError
from structprobe.models.inside.edits import editing, unedited

# For each sentence of a call, which word gets the vectors of which word of its donor, from 0.
Exchange = Sequence[Mapping[int, int] | None]


class Swap(Intervention):
    """Replace the vectors of words by those of words of other sentences.

    The subwords of a word get those of the other word one by one if there are as many, else each
    gets their mean. The vectors are those of the untouched model, or of the block of another
    intervention in which `read` is called.

    Parameters
    ----------
    layer : int
        The layer, 0 to `n_layers`.
    donors : sequence of texts
        For each sentence of a call that the model is to read, the one it gets vectors from, such
        as the other sentence of a pair.
    words : sequence of mapping of int to int, or None
        For each sentence which of its words gets the vectors of which word of its donor, counted
        from 0; None or an empty mapping for none.
    sinks : float, optional
        The norm above which a vector is left alone, as an attention sink; by default none is.

    Attributes
    ----------
    n_pooled : int
        How many words got a mean in the last block, because they have other numbers of subwords.

    Raises
    ------
    EncoderError
        If `donors` and `words` differ in length.
    """

    kind = "swap"

    def __init__(
        self, layer: int, donors: Sequence[Any], words: Exchange, *, sinks: float | None = None
    ) -> None:
        if len(donors) != len(words):
            what = f"{len(donors)} donors, but words of {len(words)} sentences"
            raise EncoderError(what, hint="give one donor for each sentence")
        self.exchange = [dict(one or {}) for one in words]
        bound = float("inf") if sinks is None else float(sinks)
        super().__init__(layer, [one.keys() for one in self.exchange], bound)
        self.donors = list(donors)
        self.n_pooled = 0
        self._given: list[dict[int, Tensor]] | None = None

    def read(self, target: Any) -> Swap:
        """Read the vectors of the donors; done by `on` unless it was done before.

        Parameters
        ----------
        target : Encoder or LanguageModel
            The model.

        Returns
        -------
        Swap
            The intervention itself.

        Raises
        ------
        EncoderError
            If a donor lacks a word, or is too long for the model.
        """
        encoder = find_encoder(target)
        place = place_of_layer(encoder, self.layer)
        found: list[dict[int, Tensor]] = [{} for _ in self.donors]

        def note(values: Tensor, marks: Tensor) -> Tensor:
            for row, own in zip(values, marks, strict=True):
                number = int(own[0, 0])
                wanted = set(self.exchange[number].values())
                for word in wanted & set(own[:, 1].tolist()):
                    if word in found[number]:
                        what = f"donor {number} is too long for the model, which reads it in parts"
                        raise EncoderError(what, hint="leave it out")
                    found[number][word] = row[own[:, 1] == word].clone()
            return values

        with editing(encoder.loaded.model, {place: note}, "read"):
            if encoder is target:
                encoder.encode(self.donors, layers=encoder.n_layers, progress=False)
            else:
                target.log_probs(self.donors, progress=False)
        for number, (exchange, own) in enumerate(zip(self.exchange, found, strict=True)):
            for word in exchange.values():
                if word not in own:
                    raise EncoderError(f"donor {number} has no word {word}, from 0")
        self._given = found
        return self

    @contextmanager
    def _block(self, target: Any) -> Iterator[None]:
        if self._given is None:
            with unedited():
                self.read(target)
        self.n_pooled = 0
        with super()._block(target):
            yield

    def _change(self, values: Tensor, marks: Tensor, chosen: Tensor) -> Tensor:
        assert self._given is not None  # since `on` has read them
        changed = values.clone()
        for row, own in enumerate(marks):
            number = int(own[0, 0])
            for word, other in self.exchange[number].items():
                places = torch.nonzero(own[:, 1] == word).flatten()
                if not len(places):
                    continue
                given = self._given[number][other].to(values)  # (n_subwords, width)
                if len(given) != len(places):
                    self.n_pooled += 1
                    given = given.float().mean(dim=0, keepdim=True).to(values)
                given = given.expand(len(places), -1)
                kept = chosen[row, places]
                changed[row, places[kept]] = given[kept]
        return changed

    def _told(self) -> Iterable[Any]:
        yield repr([sorted(one.items()) for one in self.exchange]).encode()
        for own in self._given or ():
            for word in sorted(own):
                yield own[word].float().cpu().numpy()
