"""A structural probe with its encoder: from sentences, or plain text, to trees."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence, Sized
from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

from structprobe.devices import find_device
from structprobe.errors import EncoderError, Hint, ProbeError
from structprobe.probe.training.recipes import RECIPES, Whitened, chooses
from structprobe.recoverers.base import TextRecoverer
from structprobe.results.rows import ENCODING
from structprobe.results.saved_probes import locate_probe
from structprobe.scores.cautions import still_falling
from structprobe.scores.prediction import Prediction
from structprobe.treebank.sentence import Sentence

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder
    from structprobe.encoder.vectors import WordVectors
    from structprobe.probe.estimator import StructuralProbe


# The names of methods by the geometry of the probe.
NAMES = {
    "euclidean": "probe",
    "hyperbolic": "probe-hyperbolic",
    "signed": "probe-signed",
    "polynomial": "probe-kernel-poly",
    "sigmoid": "probe-kernel-sigmoid",
    "rbf": "probe-kernel-rbf",
}


class ProbeRecoverer(TextRecoverer):
    """Recovers trees from one layer of a model with a structural probe.

    Parameters
    ----------
    encoder : Encoder
        The model, with its pooling and spacing.
    layer : int, optional
        The layer, from 0 (embedding output); by default that of a fitted probe.
    probe : StructuralProbe, optional
        The probe, fitted or not; by default a new one with default settings.
    cache : path, optional
        A folder in which to cache word vectors.
    name : str, optional
        The method's name in tables; by default ``"probe"``, or that of `GeometryProbe` if the
        geometry of the probe is not Euclidean.
    progress : bool, optional
        Whether to show a progress bar while encoding; by default if stderr is a terminal.

    Raises
    ------
    ProbeError
        If an argument has a wrong type, the layer is out of range, or the probe was fitted on
        another layer.

    Examples
    --------
    >>> recoverer = ProbeRecoverer.from_pretrained("PROBE/")  # doctest: +SKIP
    >>> recoverer.parse("the dog that chased the cat ran")  # doctest: +SKIP
    """

    def __init__(
        self,
        encoder: Encoder,
        layer: int | None = None,
        probe: StructuralProbe | None = None,
        *,
        cache: str | os.PathLike[str] | None = None,
        name: str | None = None,
        progress: bool | None = None,
    ) -> None:
        if probe is None:
            from structprobe.probe.estimator import StructuralProbe

            probe = StructuralProbe()
        _check_kinds(encoder, layer, probe)
        self.encoder, self.probe = encoder, probe
        self.layer = _checked_layer(layer, encoder, probe)
        self.cache, self.progress = cache, progress
        # Baselines on another model or layer use this class with another name.
        self.name = (
            NAMES.get(str(getattr(probe, "geometry", None)), "probe") if name is None else name
        )

    def _fit(self, train: Sequence[Sentence], dev: Sequence[Sentence] | None) -> None:
        """Encode the sentences and fit the probe; without dev, part of train is held out."""
        held_out = None if dev is None else (self.encode(dev), dev)
        self.probe.fit(self.encode(train), train, dev=held_out)

    def predict(self, sentences: Sequence[Sentence]) -> list[Prediction]:
        """Recover the tree of each sentence, with distances and depths."""
        self._check_fitted()
        none = isinstance(sentences, Sized) and not len(sentences)
        return [] if none else self.probe.predictions(self.encode(sentences))

    @property
    def is_fitted(self) -> bool:
        """Whether the probe can predict."""
        return any(name.endswith("_") for name in vars(self.probe))  # as in scikit-learn

    def describe(self) -> dict[str, Any]:
        """Return the values of a result row that describe the method and its probe."""
        told = {**super().describe(), "layer": self.layer}
        settings = self.probe.get_params()
        kept = {*settings} & {"recipe", "max_steps", "products"}  # other probes have fewer
        told |= {key: settings[key] for key in kept}
        if "select" in settings and chooses(settings["recipe"]):
            told["select"] = settings["select"]
        told["seed"] = settings["random_state"]
        if hasattr(self.probe, "distance_components_"):
            told["rank"] = len(self.probe.distance_components_)
            told["train_fingerprint"] = self.probe.treebank_fingerprint_
        if self.is_fitted:
            told |= chosen_by(self.probe)
            told["warnings"] = training_cautions(self.probe)
        return told

    def encode(self, sentences: Sequence[Sentence]) -> WordVectors:
        """Encode sentences as for the probe.

        Parameters
        ----------
        sentences : sequence of Sentence
            The sentences.

        Returns
        -------
        WordVectors
            The vectors of the layer, one array of shape (n_words, hidden_size) per sentence.
        """
        several = not isinstance(sentences, Sized) or len(sentences) > 1
        shown = self.progress if several else False
        encode, layer = self.encoder.encode, self.layer
        return encode(sentences, layers=layer, cache=self.cache, progress=shown).layer(layer)

    def save_pretrained(
        self,
        folder: str | os.PathLike[str],
        *,
        dev_scores: object = None,
        fitted_on: Mapping[str, object] | None = None,
        dev_baselines: Mapping[str, object] | None = None,
    ) -> None:
        """Save the fitted probe, with the name of the model, not the model itself.

        Parameters
        ----------
        folder, dev_scores, fitted_on, dev_baselines
            As for `StructuralProbe.save_pretrained`.
        """
        told: dict[str, Any] = {"dev_scores": dev_scores, "fitted_on": fitted_on}
        self.probe.save_pretrained(folder, dev_baselines=dev_baselines, **told)

    @classmethod
    def from_pretrained(
        cls,
        source: str | os.PathLike[str],
        *,
        layer: int | None = None,
        rank: int | None = None,
        seed: int | None = None,
        revision: str | None = None,
        model: Any = None,
        device: str = "auto",
        cache: str | os.PathLike[str] | None = None,
        progress: bool | None = None,
        **encoder_options: Any,
    ) -> Self:
        """Load a saved probe and its model.

        Parameters
        ----------
        source : path or str
            The folder of a saved probe, a hub id such as ``"owner/name"``, or a results folder with
            saved probes.
        layer, rank, seed : int, optional
            Which probe of a results folder; by default the best on dev of those that match.
        revision : str, optional
            Branch, tag or commit of the probe on the hub.
        model : Encoder, path, str or model object, optional
            The same model, if it has moved: an `Encoder`, or anything that `Encoder` accepts.
        device : str, default="auto"
            The torch device to run the model on.
        cache, progress
            As for `ProbeRecoverer`.
        **encoder_options
            Further arguments of `Encoder`, such as ``gguf_file`` or ``trust_remote_code``.

        Returns
        -------
        ProbeRecoverer
            The fitted recoverer.

        Raises
        ------
        ProbeError
            If there is no such probe, it was fitted on plain arrays, or on another model.
        ResultError
            If a results folder has no such probe, or the choice is ambiguous.
        EncoderError
            If the model cannot be loaded.
        """
        from structprobe.encoder.encoder import Encoder
        from structprobe.probe.estimator import StructuralProbe

        source = locate_probe(source, layer=layer, rank=rank, seed=seed)
        probe = StructuralProbe.from_pretrained(source, revision=revision)
        origin: dict[str, Any] | None = probe.origin_
        if origin is None:
            what = "the probe was fitted on plain arrays, so its model is unknown"
            hint = "load it with StructuralProbe.from_pretrained and pass it vectors"
            hint = Hint(hint, shell="fit a probe on a model with `structprobe fit`")
            raise ProbeError(what, where=str(source), hint=hint)
        told = {key: origin.get(key) for key in ("model", "revision", "fingerprint", *ENCODING)}
        kinds = {"bos": bool, "window": int}
        for key, one in told.items():
            if not isinstance(one, kinds.get(key, str) | None):
                what = f"{key} of its origin is {one!r}, which `fit` does not write"
                raise ProbeError(what, where=str(source), hint="fit the probe again")
        encoder = model
        if not isinstance(model, Encoder):
            options = {key: origin[key] for key in ENCODING if key in origin}
            options["part"] = options.pop("model_part", None)  # as rows have a part of a treebank
            options |= {"device": device, **encoder_options}
            encoder = _load_encoder(origin, model, options, str(source))
        _refuse_other_model(encoder.origin(origin["layer"]), origin, str(source))
        return cls(encoder, origin["layer"], probe, cache=cache, progress=progress)


def chosen_by(estimator: Any) -> dict[str, Any]:
    """Count what a probe learned, and name what it chose on dev and how it decodes."""
    history, decoding = estimator.history_, getattr(estimator, "decoding", None)
    named = isinstance(history, Mapping) and "chosen" in history
    told = [history["chosen"]] if named else []
    if decoding not in (None, "published"):
        weight = estimator.relation_weight_
        told.append(f"decoding {decoding}" + ("" if weight is None else f", weight {weight:g}"))
    found: dict[str, Any] = {"n_parameters": estimator.n_parameters_}
    if decoding is not None and (reader := getattr(estimator, "relation_reader_", None)):
        found |= {"reads": reader.reads, "decoding": decoding}
    return {"choice": "; ".join(told), **found} if told else found


def training_cautions(estimator: Any) -> list[str]:
    """Check how a fitted probe, or a parser beside it, was trained."""
    settings, history = estimator.get_params(), estimator.history_ or {}
    if isinstance(history, Mapping):
        history = history.get("distance", {}).get("evaluations", ())
    recipe = RECIPES[settings.get("recipe", "whitened")]
    limit = settings["max_steps"] or math.inf
    if isinstance(recipe, Whitened) and limit >= recipe.max_steps:
        return []  # Its learning rate falls to zero: the loss always falls a little until the end
    return [*filter(None, [still_falling(history)])]


def _check_kinds(encoder: object, layer: object, probe: object) -> None:
    """Refuse arguments of a wrong type, or in a wrong order."""
    is_whole = isinstance(layer, Integral) and not isinstance(layer, bool)
    for name, value, wanted, fits in (
        ("encoder", encoder, "an Encoder", hasattr(encoder, "n_layers")),
        ("layer", layer, "an integer", layer is None or is_whole),
        ("probe", probe, "a StructuralProbe", hasattr(probe, "predictions")),
    ):
        if not fits:
            found = repr(value) if isinstance(value, str | float) else f"a {type(value).__name__}"
            hint = "use ProbeRecoverer(encoder, layer, probe)"
            raise ProbeError(f"{name} is {found}, not {wanted}", hint=hint)


def _checked_layer(layer: int | None, encoder: Encoder, probe: StructuralProbe) -> int:
    """Return the given layer, or that of a fitted probe."""
    origin = getattr(probe, "origin_", None)
    fitted_on: int | None = None if origin is None else origin.get("layer")
    given = fitted_on if layer is None else layer
    if given is None:
        raise ProbeError("no layer was given", hint=f"choose from 0 to {encoder.n_layers}")
    wanted = int(given)
    if not 0 <= wanted <= encoder.n_layers:
        raise ProbeError(
            f"layer {wanted} is out of range; the model has layers 0 to {encoder.n_layers}"
        )
    if fitted_on is not None and wanted != fitted_on:
        what = f"the probe was fitted on layer {fitted_on}, but layer {wanted} was given"
        raise ProbeError(what, hint="leave out layer, or pass a new probe to fit")
    return wanted


def _load_encoder(
    origin: Mapping[str, Any], model: Any, options: Mapping[str, Any], where: str
) -> Encoder:
    """Load the given model, or the one that the probe was fitted on."""
    from structprobe.encoder.encoder import Encoder

    if model is not None:
        return Encoder(model, **options)
    if "device" in options:  # one that is not there says nothing of the model
        find_device(options["device"], error=EncoderError)
    try:
        is_local = isinstance(origin["model"], str) and os.path.exists(origin["model"])
        revision = None if is_local else origin["revision"]
        return Encoder(origin["model"], **{"revision": revision, **options})
    except EncoderError as error:
        reason = f"{error.where}: {error.what}" if error.where else error.what
        what = f"the model of the probe cannot be loaded: {reason}"
        hint = Hint("if it has moved, pass model=", shell="if it has moved, give --model")
        raise ProbeError(what, where=where, hint=hint) from error


def _refuse_other_model(
    found: Mapping[str, object], origin: Mapping[str, object], where: str
) -> None:
    """Refuse an encoder other than the one that the probe was fitted on."""
    if found["fingerprint"] == origin["fingerprint"]:
        return
    shell = "give the model it was fitted on with --model"
    hint = Hint("pass the model it was fitted on as model=", shell=shell)
    fitted, given = (
        f"{one['model']} (fingerprint {one['fingerprint']})" for one in (origin, found)
    )
    raise ProbeError(
        f"the probe was fitted on {fitted}, but this is {given}", where=where, hint=hint
    )
