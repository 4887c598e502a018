"""Build one architecture with random weights, let structprobe read it, and check what it says.

The check is independent of structprobe: a plain pass over one sentence at a time.
"""

from __future__ import annotations

import copy
import hashlib
import inspect
import sys
import tempfile
import traceback
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from table import EQUAL, NO_TEXT, PADDED, READ, REFUSED, SINGLE, TRACEBACK, UNBUILT, WRONG
from tiny_config import shrink
from tokens import SENTENCES, make_tokenizer
from tokens import read as _read_text
from transformers import AutoModel, AutoTokenizer, PreTrainedModel
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_MAPPING

from structprobe import Encoder, WordAttentions
from structprobe.attention.forward import eager_attention
from structprobe.errors import StructprobeError
from structprobe.models import reading

_MOST_PARAMETERS = 30_000_000
_BOUND = 1e-3  # of the largest value of a sentence's vectors

Vectors = list[NDArray[np.float64]]  # (n_words, width), one array for each layer


@dataclass
class Row:
    """What was found about one architecture."""

    architecture: str
    model_class: str = ""
    status: str = UNBUILT
    reason: str = ""
    part: str = ""  # What was read: a part of the model, empty for the whole
    attention: str = ""  # The layers whose attention is read, or why none is
    readable: list[str] = field(default_factory=list)  # Parts that a plain pass can read
    alone: str = ""  # Why the whole model cannot be run on ids and mask alone
    parameters: int = 0
    folder: str = ""  # The status of the model that was saved and loaded, if it differs
    left: list[str] = field(default_factory=list)  # What reading changed about the model
    where: str = ""  # The last line of structprobe in a traceback
    seconds: float = 0.0


def try_architecture(name: str, folders: bool = True) -> dict[str, Any]:
    """Build and read an architecture; the row as a dict."""
    row = Row(name)
    tokenizer = make_tokenizer(name)
    models = []
    for model, parameters in _build(row):
        truths = Truths(copy.deepcopy(model), tokenizer)
        models.append((model, parameters, truths))
        if truths.names:
            break
    chosen = next((one for one in models if one[2].names), None) or next(
        (one for one in models if one[2].wants_more), None
    )
    if chosen is None:
        if models:
            row.reason = f"the tiny model cannot be run: {models[0][2].alone}"
        return asdict(row)
    model, row.parameters, truths = chosen
    row.readable, row.alone, row.reason = truths.names, truths.alone, ""
    before = _state(model)
    encoder = _judge(row, model, tokenizer, truths)
    if encoder is not None:
        _judge_attention(row, encoder)
    row.left = [part for part, value in _state(model).items() if value != before[part]]
    if folders:
        _judge_folder(row, model, tokenizer)
    return asdict(row)


def _build(row: Row) -> Iterator[tuple[Any, int]]:
    """Build the model in one or two ways, with its number of parameters; or say why not."""
    try:
        config_class = CONFIG_MAPPING[row.architecture]
        found = MODEL_MAPPING[config_class]
        model_class = found[0] if isinstance(found, tuple) else found
        row.model_class = model_class.__name__
        reads_text = "input_ids" in inspect.signature(model_class.forward).parameters
    except Exception as error:  # what the mapping names is not there, or needs another package
        row.reason = _say(error)
        return
    if not reads_text:
        row.status = NO_TEXT
        return
    for fill in (False, True):
        broken = ""
        try:
            config = shrink(config_class(), fill)
            try:
                config = config_class.from_dict(config.to_dict())
            except Exception as error:  # defaults that break their own checks
                broken = _say(error)
            config.architectures = [row.model_class]  # which of several classes is meant
            n_parameters = _count(model_class, config)
            if n_parameters > _MOST_PARAMETERS:
                row.reason = row.reason or f"{n_parameters / 1e6:.0f} million parameters"
                continue
            torch.manual_seed(0)
            model = AutoModel.from_config(config, dtype=torch.float32).eval()
        except Exception as error:  # each in its own way
            row.reason = row.reason or broken or _say(error)
            continue
        _stir(model)
        yield model, sum(one.numel() for one in model.parameters())


def _count(model_class: Any, config: Any) -> int:
    """Count parameters without making them; 0 if the model cannot be built in this way."""
    try:
        with torch.device("meta"):
            return sum(one.numel() for one in model_class(copy.deepcopy(config)).parameters())
    except Exception:  # a model that looks at values when it is made
        return 0


def _stir(model: Any) -> None:
    """Make the values of each parameter differ: gates and norms are without effect at first."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for one in model.parameters():
            if not one.is_floating_point() or not one.numel():
                continue
            noise = torch.randn(one.shape, generator=generator)
            if not torch.isfinite(one).all() or one.abs().max() > 1e4:  # never initialised
                one.copy_(0.1 * noise)
            elif (one == one.flatten()[0]).all():
                one.add_(0.1 * noise)


def _say(error: BaseException) -> str:
    """Write an error in one line."""
    text = " ".join(str(error).split()).replace(sys.prefix, "…")  # where it ran is no one's concern
    return f"{type(error).__name__}: {text[:300]}"


class Truths:
    """What plain passes of a model, or of its parts, give for the sentences."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self._texts = [_read_text(tokenizer, words) for words in SENTENCES]
        self.by_part: dict[str, list[Vectors]] = {}
        self.alone, self.wants_more = "", True
        for name, part in _parts(model):
            try:
                longest = max(self._texts, key=lambda text: len(text[0]))
                self._run(part, *longest)  # first: some models fail in odd ways on short texts
                self.by_part[name] = [self._run(part, *text) for text in self._texts]
            except Exception as error:  # each in its own way
                if not name:
                    self.alone = _say(error)
                    self.wants_more = isinstance(error, TypeError | ValueError | AttributeError)

    @property
    def names(self) -> list[str]:
        """The parts that can be run, empty for the whole model; the outer ones first."""
        return list(self.by_part)

    def _run(self, part: Any, ids: list[int], shares: NDArray[np.float64]) -> Vectors:
        """Run one sentence, and take the mean over the subwords of each word."""
        known = inspect.signature(part.forward).parameters
        tensor = torch.tensor([ids])
        options: dict[str, Any] = {"output_hidden_states": True, "return_dict": True}
        if "attention_mask" in known:
            options["attention_mask"] = torch.ones_like(tensor)
        if "use_cache" in known:
            options["use_cache"] = False
        with torch.no_grad():
            output = part(input_ids=tensor, **options)
        hidden = getattr(output, "hidden_states", None)
        if not isinstance(hidden, tuple | list) or not hidden:
            raise ValueError("no hidden states")
        layers = list(hidden)
        last = getattr(output, "last_hidden_state", None)
        if last is not None:
            layers[-1] = last
        for i, one in enumerate(layers):
            if one.ndim != 3 or one.shape[:2] != tensor.shape or one.shape[2] != layers[0].shape[2]:
                shape = tuple(one.shape)
                raise ValueError(f"layer {i} of {len(layers) - 1} has shape {shape}")
        if not all(torch.isfinite(one).all() for one in layers):
            raise ValueError("values that are not finite")
        return [shares @ one[0].double().numpy() for one in layers]


def _parts(model: Any) -> Iterator[tuple[str, Any]]:
    """Give the parts that read ids: of an encoder-decoder the encoder alone."""
    if getattr(model.config, "is_encoder_decoder", False):
        encoder = model.get_encoder()
        if encoder is not model:
            yield next(name for name, one in model.named_modules() if one is encoder), encoder
            return
    for name, part in model.named_modules():
        if isinstance(part, PreTrainedModel) and "input_ids" in (
            inspect.signature(part.forward).parameters
        ):
            yield name, part


def _judge(row: Row, model: Any, tokenizer: Any, truths: Truths, **options: Any) -> Encoder | None:
    """Let structprobe read a model, and say in the row whether it is right; its encoder if so."""
    try:
        encoder = Encoder(model, tokenizer=tokenizer, **options)
        bank = encoder.encode(SENTENCES)
        alone = [encoder.encode([words]) for words in SENTENCES]
    except StructprobeError as error:
        row.status, row.reason = REFUSED, " ".join(str(error).split())
        return None
    except Exception as error:  # what must not be
        row.status, row.reason = TRACEBACK, _say(error)
        frames = [
            f"{Path(one.filename).parent.name}/{Path(one.filename).name}:{one.lineno}"
            for one in traceback.extract_tb(error.__traceback__)
        ]
        ours = [one for one in frames if "structprobe" in str(one)] or frames[:1]
        row.where = f"{ours[-1]} ... {frames[-1]}"
        return None
    layers = range(encoder.n_layers + 1)
    got = [[np.asarray(bank.layer(k)[i]) for k in layers] for i in range(len(SENTENCES))]
    single = [[np.asarray(one.layer(k)[0]) for k in layers] for one in alone]
    row.part, fault = _compare(got, truths)
    if fault:
        apart = _compare(single, truths)[1]
        row.status = WRONG
        row.reason = f"{'also' if apart else 'only'} wrong {'alone' if apart else 'in a batch'}: "
        row.reason += apart or fault
        return None
    _, fault = _compare(single, truths)
    if fault:
        row.status, row.reason = WRONG, f"only wrong alone: {fault}"
    else:
        ways = {reading.PADDED: PADDED, reading.EQUAL: EQUAL, reading.ALONE: SINGLE}
        row.status = ways[encoder.loaded.batching]
    if row.status in READ:
        last = single[5][-1]
        words = {word: last[i] for i, word in enumerate(SENTENCES[5])}
        values = np.array(list(words.values()))
        apart = (
            np.abs(values[:, None] - values).max(-1) + np.eye(len(values)) * np.abs(values).max()
        )
        if apart.min() < 1e-5 * np.abs(values).max():
            row.reason = "different words have one vector in the last layer, as in the model"
    return encoder if row.status in READ else None


def _judge_attention(row: Row, encoder: Encoder) -> None:
    """Let structprobe read the attention of a model, and compare it with a plain pass."""
    try:
        attentions = WordAttentions(encoder)
        read = {
            int(i): batch.weights[k]
            for batch in attentions.read(SENTENCES, progress=False)
            for k, i in enumerate(batch.sentences)
        }
    except StructprobeError as error:
        row.attention = f"refused: {error.what}"
        return
    except Exception as error:  # what must not be
        row.status, row.reason = TRACEBACK, f"attention: {_say(error)}"
        return
    layers, n_layers = attentions.layers, encoder.n_layers
    some = f"only layer{'s' * (len(layers) > 1)} {', '.join(map(str, layers))} of {n_layers}"
    row.attention = "all layers" if len(layers) == n_layers else some
    part = encoder.loaded.model
    for number, words in enumerate(SENTENCES):
        ids, shares = _read_text(encoder.tokenizer, words)
        known = inspect.signature(part.forward).parameters
        more = {"use_cache": False} if "use_cache" in known else {}
        with reading.reading(part), eager_attention(part):
            tensor = torch.tensor([ids])
            output = part(input_ids=tensor, output_attentions=True, return_dict=True, **more)
        square = [
            one[0].double().numpy()
            for one in output.attentions
            if one is not None and one.shape[2:] == (len(ids), len(ids))
        ]
        members = (shares > 0) / (shares > 0).sum(0).clip(1)
        wanted = np.stack([shares @ one @ members.T for one in square])
        got = read[number][..., : len(words), : len(words)]
        if got.shape != wanted.shape or not np.abs(got - wanted).max() <= _BOUND:
            row.status, row.reason = WRONG, f"attention to sentence {number + 1}"
            return


def _compare(got: list[Vectors], truths: Truths) -> tuple[str, str]:
    """Compare vectors with those of each part: the part that fits best, and what is wrong."""
    best, fault = "", "a plain pass cannot read the model"
    least = np.inf
    for name, wanted in truths.by_part.items():
        n_got, n_wanted = len(got[0]), len(wanted[0])
        if n_got != n_wanted or got[0][0].shape != wanted[0][0].shape:
            if np.isinf(least):
                best = name
                fault = f"{n_got} layers of shape {got[0][0].shape}, but the model has {n_wanted}"
                fault += f" of shape {wanted[0][0].shape}"
            continue
        gaps = np.array(
            [
                [
                    np.abs(x - y).max() / max(np.abs(y).max(), 1e-30)
                    for x, y in zip(*pair, strict=True)
                ]
                for pair in zip(got, wanted, strict=True)
            ]
        )  # (n_sentences, n_layers)
        worst = float("nan") if np.isnan(gaps).any() else float(gaps.max())
        if not worst >= least:
            least, best, fault = worst, name, ""
            if not worst <= _BOUND:
                i, k = np.unravel_index(np.nanargmax(gaps), gaps.shape)
                fault = f"differs by {worst:.1e} in layer {k} of {n_got - 1}, sentence {i + 1}"
    return best, fault


def _judge_folder(row: Row, model: Any, tokenizer: Any) -> None:
    """Judge the same model, saved and loaded; what is worse than for the object goes to the row."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
        except Exception as error:  # of transformers
            row.folder = f"cannot be saved: {_say(error)}"
            return
        try:
            again = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
            truths = Truths(again, tokenizer)
        except Exception as error:  # of transformers
            row.folder = f"transformers cannot load it: {_say(error)}"
            truths = None
        other = Row(row.architecture)
        # Some types of model make their own kind of tokenizer from the files of any.
        own = tokenizer if _loads_another(folder, tokenizer) else None
        _judge(other, folder, own, truths or Truths(model, tokenizer))
    if other.status == REFUSED and truths is None:
        return
    if other.status != row.status:
        row.folder = f"{other.status}: {other.reason}" if other.reason else other.status
    if other.status in (WRONG, TRACEBACK) and row.status not in (WRONG, TRACEBACK):
        row.status, row.reason, row.where = (
            other.status,
            f"from a folder: {other.reason}",
            other.where,
        )


def _loads_another(folder: str, tokenizer: Any) -> bool:
    """Whether transformers does not load from a folder the tokenizer that was saved there."""
    try:
        again = AutoTokenizer.from_pretrained(folder)
        return any(
            again(" ".join(words))["input_ids"] != tokenizer(" ".join(words))["input_ids"]
            for words in SENTENCES
        )
    except Exception:  # of any type
        return True


def _state(model: Any) -> dict[str, str]:
    """Give digests of all that reading must leave as it was."""
    weights = hashlib.sha256()
    for name, one in model.state_dict().items():
        values = one.detach().contiguous().flatten().view(torch.uint8).numpy()
        weights.update(name.encode() + values.tobytes())
    modules = list(model.named_modules())
    return {
        "weights": weights.hexdigest(),
        "mode": repr([(name, one.training) for name, one in modules]),
        "hooks": repr([(name, len(one._forward_hooks)) for name, one in modules]),
        "attributes": repr([(name, sorted(vars(one))) for name, one in modules]),
        "configuration": repr(model.config.to_dict()),
        "attention": repr(getattr(model.config, "_attn_implementation", None)),
        "random state": torch.random.get_rng_state().numpy().tobytes().hex(),
    }
