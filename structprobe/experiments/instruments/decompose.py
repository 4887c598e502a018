"""Tensor product decomposition: sentence vectors as sums of filler-role products.

After McCoy et al. 2019, RNNs Implicitly Implement Tensor Product Representations, and Jawahar et
al. 2019, What Does BERT Learn about the Structure of Language?, section 6. If sentence vectors are
better described by words bound to their positions in the tree than by words bound to their numbers
in the sentence, a model composes them more along the tree than along the sentence.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from structprobe.devices import find_device
from structprobe.errors import (
    Hint,
    ProbeError,
    ScoreError,
    TreeError,
    check_encoder,
    counted,
    unknown_name,
)
from structprobe.experiments.config import DecomposeConfig, checked_config
from structprobe.experiments.layers_ranks_seeds import check_seeds, parse_layers
from structprobe.experiments.runs.run import Banks, warn_before
from structprobe.progress import progress_bar
from structprobe.results.rows import bank_name
from structprobe.scores.intervals import quantile_bounds, resamples
from structprobe.treebank.bank import Treebank
from structprobe.treebank.sentence import Sentence
from structprobe.trees.roles import ROLE_SCHEMES, Roles

if TYPE_CHECKING:
    from torch import Tensor

    from structprobe.encoder.encoder import Encoder
    from structprobe.encoder.form_vectors import FormVectors
    from structprobe.encoder.vectors import WordVectors
    from structprobe.probe.tensor_products import Bindings, Fitted

SENTENCE_VECTORS = ("mean", "first", "last")

LEAST_TRAIN = 10  # Sentences; for fewer, every decomposition predicts little but their mean

_BAG = "bag-of-words"
_DRAWS, _LEVEL = 1000, 0.95  # Of the bootstrap over sentences


@dataclass(frozen=True)
class Decomposition:
    """How well the sentence vectors of one layer are approximated by filler-role products.

    Attributes
    ----------
    layer : int
        The layer.
    scheme : str
        Which role a word has: ``"left-to-right"``, ``"right-to-left"``, ``"bidirectional"``,
        ``"tree"`` or ``"bag-of-words"``.
    error : tuple of float
        The share of the variance of the test sentences' vectors that is not explained, with the
        bounds of its 95% interval over sentences: 0 for a perfect approximation, 1 for predicting
        the mean of the training set.
    control_error : tuple of float or None
        The same with the roles permuted among the words of each sentence; None for a bag of words,
        for which that changes nothing.
    selectivity : tuple of float or None
        `control_error` minus `error`, with the bounds of its 95% interval: what is due to which
        word has which role, and not to the number of roles.
    n_roles, n_parameters : int
        The number of different roles in the training set, and of parameters of the linear maps.
    new_roles : float
        The share of the test words whose role does not occur in the training set.
    role_weight, penalty : float
        Chosen on the dev set: how far the maps of roles may differ from the shared map (0 for not
        at all, which is a bag of words), and the penalty of the ridge regression.
    sentence_vector : {"mean", "first", "last"}
        The vector of a sentence: the mean of its word vectors, or the vector of its first or last
        word.
    model, treebank : str or None
        The model, and the files of the test set, if known.
    n_train, n_sentences, seed : int
        Training sentences used, test sentences, and the random state.
    warnings : tuple of str
        What may make the errors misleading.
    """

    layer: int
    scheme: str
    error: tuple[float, float, float]
    control_error: tuple[float, float, float] | None
    selectivity: tuple[float, float, float] | None
    n_roles: int
    n_parameters: int
    new_roles: float
    role_weight: float
    penalty: float
    sentence_vector: str
    model: str | None
    treebank: str | None
    n_train: int
    n_sentences: int
    seed: int
    warnings: tuple[str, ...]

    def values(self) -> dict[str, Any]:
        """Return everything as JSON types.

        Returns
        -------
        dict
            The attributes by name; values with an interval have ``value``, ``low`` and ``high``.
        """
        found = asdict(self) | {"warnings": list(self.warnings)}
        for name in ("error", "control_error", "selectivity"):
            if found[name] is not None:
                found[name] = dict(zip(("value", "low", "high"), found[name], strict=True))
        return found


def decompose(
    encoder: Encoder,
    train: Sequence[Sentence],
    dev: Sequence[Sentence],
    test: Sequence[Sentence],
    *,
    layers: str | Iterable[int] = "all",
    schemes: str | Iterable[str] = tuple(ROLE_SCHEMES),
    sentence_vector: str = "mean",
    seed: int = 0,
    config: DecomposeConfig | None = None,
) -> list[Decomposition]:
    """Decompose the sentence vectors of each layer into filler-role products.

    The vector of a sentence is predicted as a sum over its words (McCoy et al. 2019): the filler of
    each word, multiplied by a matrix that depends on its role. Fillers are the vectors of word
    forms at layer 0, encoded without the sentence (as in Jawahar et al. 2019), so that forms that
    occur only in the test set have one too. The matrix of a role is the sum of one that all roles
    share and one of its own; a role that does not occur in the training set has only the shared
    one. For ``sentence_vector="mean"``, products are averaged over words, as the vectors are, and
    otherwise summed. The dimensions of sentence vectors are scaled to unit variance.

    The matrices are found by ridge regression, solved exactly, whereas the papers learn embeddings
    of roles by gradient descent. How far roles may differ from the shared matrix, and the penalty,
    are chosen on the dev set for each layer and scheme. If they do not differ at all, the scheme is
    a bag of words, so a scheme with too many roles for the data is not clearly worse than that.

    Parameters
    ----------
    encoder : Encoder
        The model, with ``site="residual"``, since fillers are vectors of layer 0.
    train, dev, test : sequence of Sentence
        Sentences with heads: for fitting, for choosing the regularisation, and for the errors.
    layers : str or iterable of int, default="all"
        As for `sweep`.
    schemes : str or iterable of str
        Role schemes; by default all five. A word's role is

        - ``"left-to-right"``, ``"right-to-left"``: its position, counted from the start or the end;
        - ``"bidirectional"``: both positions;
        - ``"tree"``: its path from the root of the gold tree; each step is described by the side of
          the head and the rank of the dependent on that side, counted from the head;
        - ``"bag-of-words"``: the same for all words.
    sentence_vector : {"mean", "first", "last"}, default="mean"
        The mean of the vectors of a sentence's words, or the vector of its first or last word.
    seed : int, default=0
        Random state of the sample of training sentences, the permuted roles and the intervals.
    config : DecomposeConfig, optional
        Further options: the number of training sentences, device, cache.

    Returns
    -------
    list of Decomposition
        One for each layer and scheme, by layer.

    Raises
    ------
    ProbeError
        If a layer, the seed, a scheme or `sentence_vector` is invalid, the encoder has no layer 0,
        or all sentences of a layer have the same vector.
    ScoreError
        If a treebank is empty or has no heads, or `train` has fewer than 10 sentences.
    TreeError
        If the heads of a sentence are not a tree.
    TreebankError
        If the text of a treebank is withheld, unless that is allowed.
    """
    config = checked_config(config, DecomposeConfig)
    find_device(config.device, error=ProbeError)
    wanted = _read_schemes(schemes)
    if sentence_vector not in SENTENCE_VECTORS:
        raise ProbeError(unknown_name("sentence_vector", sentence_vector, SENTENCE_VECTORS))
    check_seeds([] if seed is None else [seed])
    # Nothing is scored by UUAS here, so no word is left out.
    banks = Banks.of(train, dev, test, "keep", allow_withheld=config.allow_withheld)
    check_encoder(encoder, ProbeError)
    n_train = min(len(banks.train), config.max_sentences or len(banks.train))
    if n_train < LEAST_TRAIN:
        what = f"only {counted(n_train, 'sentence')} to train on"
        raise ScoreError(what, hint=f"give at least {LEAST_TRAIN}, preferably thousands")
    chosen = parse_layers(layers, encoder.n_layers, encoder.layers)
    if 0 not in encoder.layers:
        what = "fillers are vectors of layer 0, which this encoder does not have"
        hint = Hint('use site="residual"', shell="use --site residual")
        raise ProbeError(what, hint=hint)
    warn_before(banks)
    order = np.random.default_rng(seed).permutation(len(banks.train))
    taken = np.sort(order[:n_train])
    sentences = [*chain(*_parts(banks, taken).values())]
    roles = {name: _number(sentences, name, n_train) for name in wanted}
    data = _Data.of(encoder, banks, taken, chosen, sentence_vector, config)
    data.facts["seed"] = int(seed)
    fitted, controls = _fit(data, roles, seed, config)
    return _results(data, roles, fitted, controls)


def _read_schemes(schemes: str | Iterable[str]) -> tuple[str, ...]:
    """Check role schemes."""
    wanted = tuple(dict.fromkeys([schemes] if isinstance(schemes, str) else schemes))
    for name in wanted:
        if name not in ROLE_SCHEMES:
            raise ProbeError(unknown_name("role scheme", name, ROLE_SCHEMES))
    if not wanted:
        raise ProbeError("no role scheme was given", hint=f"choose from {', '.join(ROLE_SCHEMES)}")
    return wanted


def _parts(banks: Banks, taken: NDArray[np.int64]) -> dict[str, Treebank]:
    """Give the sentences in use: those for training that are taken, and all of dev and test."""
    return {**banks.parts, "train": Treebank(banks.train[int(i)] for i in taken)}


@dataclass(frozen=True, eq=False)
class _Data:
    """Fillers and vectors of sentences, those for training first, then dev and test."""

    n_train: int
    n_dev: int
    bindings: Bindings
    targets: Mapping[int, Tensor]  # of each layer (n_sentences, n_dims), standardised
    facts: dict[str, Any]  # What all results say

    @classmethod
    def of(
        cls, encoder: Encoder, banks: Banks, taken: NDArray[np.int64], layers: Sequence[int],
        pooled: str, config: DecomposeConfig,
    ) -> _Data:  # fmt: skip
        """Encode fillers, the training sentences that are taken, and all others."""
        import torch

        from structprobe.encoder.form_vectors import form_vectors
        from structprobe.probe.tensor_products import Bindings

        how: dict[str, Any] = {"cache": config.cache, "progress": config.progress}
        n_train, parts = len(taken), _parts(banks, taken)
        vectors: dict[int, list[NDArray[np.float64]]] = {layer: [] for layer in layers}
        origins: dict[int, Mapping[str, Any]] = {}
        for name, bank in parts.items():
            # In a cache, the treebank is what other commands read and write.
            whole = config.cache is not None and name == "train"
            encoded = encoder.encode(banks.train if whole else bank, layers=layers, **how)
            for layer in layers:
                found = encoded.layer(layer)
                pick = taken if whole else np.arange(len(bank))
                vectors[layer].append(_sentence_vectors(found, pooled, pick))
                origins[layer] = found.origin or {}
        device = find_device(config.device, error=ProbeError)
        if device.type == "mps":  # pragma: no cover -- has no float64; no test has such a device
            device = torch.device("cpu")
        targets = {
            layer: torch.from_numpy(_standardised(np.concatenate(own), n_train, layer)).to(device)
            for layer, own in vectors.items()
        }
        sentences = [*chain(*parts.values())]
        forms = form_vectors(encoder, sentences, **how)
        fillers = torch.from_numpy(_fillers(forms, n_train)).to(device)
        lengths = np.array([*map(len, sentences)])
        numbers = np.concatenate(forms.numbers)
        bindings = Bindings(fillers, numbers, lengths, n_train, average=pooled == "mean")
        assert banks.dev is not None  # they are needed
        assert banks.test is not None
        facts: dict[str, Any] = {"sentence_vector": pooled, "n_train": n_train}
        facts |= {"treebank": bank_name(banks.test), "n_sentences": len(banks.test)}
        facts |= {"model": origins[layers[0]].get("model"), "warnings": tuple(banks.cautions)}
        return cls(n_train, len(banks.dev), bindings, targets, facts)


def _fillers(forms: FormVectors, n_train: int) -> NDArray[np.float64]:
    """Centre the vectors of forms, and scale them to unit variance in the training set."""
    # -> (n_forms, hidden_size + 1)
    values = forms.values.astype(np.float64)
    counts = np.bincount(np.concatenate(forms.numbers[:n_train]), minlength=len(values))
    shares = counts / counts.sum()
    values -= shares @ values
    spread = np.sqrt(shares @ np.square(values).sum(1))
    # A filler has a 1 as well, so that a role counts without its word, too.
    return np.pad(values / (spread or 1), [(0, 0), (0, 1)], constant_values=1)


def _sentence_vectors(
    words: WordVectors, pooled: str, pick: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Pool the vectors of words into those of some sentences."""
    # -> (n_picked, hidden_size)
    if pooled == "mean":
        return np.stack([words[int(i)].mean(0, dtype=np.float64) for i in pick])
    rows = words.offsets[pick] if pooled == "first" else words.offsets[pick + 1] - 1
    return words.values[rows].astype(np.float64)


def _standardised(values: NDArray[np.float64], n_train: int, layer: int) -> NDArray[np.float64]:
    """Scale each dimension to mean 0 and variance 1 in the training set; leave out constants."""
    # values (n_sentences, hidden_size) -> (n_sentences, n_dims)
    train = values[:n_train]
    spread = train.std(0)
    # Rounding errors of dimensions that are the same everywhere are not a variance.
    kept = spread > 1e-5 * np.sqrt(np.square(train).mean(0))
    if not kept.any():
        raise ProbeError(f"all sentences have the same vector at layer {layer}")
    return np.ascontiguousarray((values - train.mean(0))[:, kept] / spread[kept])


@dataclass(frozen=True, eq=False)
class _Numbered:
    """The roles of all words under one scheme, as numbers."""

    roles: NDArray[np.int64]  # (n_words,): -1 for one that is not in the training set
    n_roles: int


def _number(sentences: Sequence[Sentence], scheme: str, n_train: int) -> _Numbered:
    """Give each role of the training set a number."""
    labelled = [_roles_of(sentence, scheme) for sentence in sentences]
    known: dict[Hashable, int] = {}
    for labels in labelled[:n_train]:
        for label in labels:
            known.setdefault(label, len(known))
    numbers = [known.get(label, -1) for labels in labelled for label in labels]
    return _Numbered(np.array(numbers), len(known))


def _roles_of(sentence: Sentence, scheme: str) -> Roles:
    """Find the roles of a sentence's words; name the sentence in a fault of its tree."""
    assert sentence.heads is not None  # as checked for all
    try:
        return ROLE_SCHEMES[scheme](sentence.heads)
    except TreeError as error:
        raise TreeError(error.what, where=sentence.where, hint=error.hint) from error


def _permuted(roles: NDArray[np.int64], lengths: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Permute the roles among the words of each sentence."""
    # roles (n_words,), lengths (n_sentences,) -> (n_words,)
    generator = np.random.default_rng(seed)
    parts = np.split(roles, np.cumsum(lengths)[:-1])
    return np.concatenate([generator.permutation(part) for part in parts])


_Fits = Mapping[str, Mapping[int, "Fitted"]]


def _fit(
    data: _Data, roles: Mapping[str, _Numbered], seed: int, config: DecomposeConfig
) -> tuple[_Fits, _Fits]:
    """Fit all layers under each scheme, and with its roles permuted."""
    from structprobe.probe.tensor_products import RoleRegression

    fitted, controls = {}, {}
    with progress_bar("decompose", 2 * len(roles), "fit", shown=config.progress) as advance:
        regression = RoleRegression(data.bindings, data.targets, data.n_dev, seed)
        for name, own in roles.items():
            if name == _BAG:
                fitted[name] = regression.fit()
                advance(2)
                continue
            fitted[name] = regression.fit(data.bindings.products(own.roles))
            advance(1)
            permuted = _permuted(own.roles, data.bindings.lengths, seed)
            controls[name] = regression.fit(data.bindings.products(permuted))
            advance(1)
    return fitted, controls


def _results(
    data: _Data, roles: Mapping[str, _Numbered], fitted: _Fits, controls: _Fits
) -> list[Decomposition]:
    """Compare squared errors with the variance, and resample the test sentences."""
    n_held_out = data.n_train + data.n_dev
    n_train_words = int(data.bindings.lengths[:n_held_out].sum())
    width = data.bindings.vectors.shape[1]
    found = []
    for layer, target in data.targets.items():
        squares = target[n_held_out:].square().sum(1).cpu().numpy()
        if squares.mean() < 1e-9 * target.shape[1]:  # by rounding, against a variance of 1
            raise ProbeError(f"all test sentences have the mean vector at layer {layer}")
        for name, own in roles.items():
            fit = fitted[name][layer]
            errors = [fit.errors]
            if name in controls:
                control = controls[name][layer].errors
                errors += [control, control - fit.errors]
            error, *more = _with_intervals(np.stack(errors), squares, int(data.facts["seed"]))
            n_maps = own.n_roles + 1 if name != _BAG else 1
            found.append(
                Decomposition(
                    layer=layer, scheme=name, error=error,
                    control_error=more[0] if more else None,
                    selectivity=more[1] if more else None,
                    n_roles=own.n_roles, n_parameters=target.shape[1] * (n_maps * width + 1),
                    new_roles=float((own.roles[n_train_words:] < 0).mean()),
                    role_weight=fit.weight, penalty=fit.penalty, **data.facts,
                )
            )  # fmt: skip
    return found


def _with_intervals(
    errors: NDArray[np.float64], squares: NDArray[np.float64], seed: int
) -> list[tuple[float, float, float]]:
    """Divide sums over sentences by the whole, and find the bounds of the same over resamples."""
    # errors (n_errors, n_test), squares (n_test,)
    shares = errors.sum(1) / squares.sum()
    draws = np.concatenate(
        [(errors @ w.T) / (squares @ w.T) for w in resamples(len(squares), _DRAWS, seed)], axis=1
    )  # (n_errors, n_draws)
    bounds = [quantile_bounds(own, _LEVEL) for own in draws]
    return [(share, *two) for share, two in zip(shares.tolist(), bounds, strict=True)]
