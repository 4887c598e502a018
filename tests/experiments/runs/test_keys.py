"""A run's key changes with each thing that decides its result, and with nothing else."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.flat_settings import make_config
from support.tiny_checkpoints import make_model, make_tokenizer, save_checkpoint
from support.tiny_trees import tiny_text

from structprobe import Encoder, Prediction, Recoverer, RightBranching, Treebank
from structprobe.experiments.compare import compare, settings_of
from structprobe.experiments.config import CompareConfig, SweepConfig, Training
from structprobe.experiments.evaluate import evaluate
from structprobe.experiments.runs.backends import Backend
from structprobe.experiments.runs.grid import Grid, known_products, probe_runs
from structprobe.experiments.runs.run import Banks
from structprobe.probe.training.recipes import RECIPES
from structprobe.recoverers.best_layer import BestLayer
from structprobe.recoverers.methods import Method

PARTS = ("train", "dev", "test")


def text_of(part: str) -> str:
    return tiny_text(5, PARTS.index(part))


def banks_of(**changed: str | None) -> dict[str, Any]:
    """Treebanks read from text, some of it changed."""
    texts = {part: text_of(part) for part in PARTS} | changed
    return {
        part: None if text is None else Treebank.from_text(text, path=part)
        for part, text in texts.items()
    }


def with_column(part: str, column: int, value: str) -> str:
    """The text of a treebank with one column of its first word changed."""
    lines = text_of(part).splitlines(keepends=True)
    columns = lines[1].rstrip("\n").split("\t")
    assert columns[column] != value
    columns[column] = value
    return "".join([lines[0], "\t".join(columns) + "\n", *lines[2:]])


def as_chain(part: str) -> str:
    """The text of a treebank with another tree over its first sentence: a chain."""
    first, *others = text_of(part).split("\n\n")
    comment, *rows = first.splitlines()
    for i, row in enumerate(rows):
        columns = row.split("\t")
        columns[6:8] = str(i), "root" if i == 0 else "dep"
        rows[i] = "\t".join(columns)
    return "\n\n".join(["\n".join([comment, *rows]), *others])


def changed_banks(part: str) -> dict[str, dict[str, Any]]:
    """The treebanks with one thing changed in one of them, by what it is."""
    columns = {"word": (1, "elsewhere"), "UPOS": (3, "NOUN"), "XPOS": (4, "NN")}
    texts: dict[str, str] = {
        name: with_column(part, *change)
        for name, change in (columns | {"relation": (7, "nsubj")}).items()
    }
    texts["heads"] = as_chain(part)
    texts["order"] = "\n\n".join([*text_of(part).split("\n\n")[-2::-1], ""])
    return {name: banks_of(**{part: text}) for name, text in texts.items()}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_checkpoint(tmp_path_factory.mktemp("model") / "gpt2", "gpt2")


@pytest.fixture(scope="module")
def encoder(checkpoint: str) -> Encoder:
    return Encoder(checkpoint, device="cpu")


@pytest.fixture(scope="module")
def original(checkpoint: str) -> Encoder:
    return Encoder(checkpoint, device="cpu", spacing="original")


def key_of_run(
    encoder: Encoder,
    banks: dict[str, Any] | None = None,
    punct: str | None = None,
    method: str = "probe",
    grid: Grid | None = None,
    **settings: Any,
) -> str:
    """The key of one run of a sweep."""
    config = make_config(SweepConfig, **settings)
    training = known_products(config.training)
    whole = Banks.of(**(banks or banks_of()), punct=punct)
    grid = grid or Grid((1,), (2,), (0,))
    (run,) = probe_runs(encoder, whole, grid, training, method, config.stimuli)
    return run.key


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.fault_class("stale")
def test_treebanks_decide(encoder: Encoder, part: str) -> None:
    """Words, heads, tags, relations, the order of sentences, and which parts there are."""
    changed = changed_banks(part)
    if part != "train":
        changed["none"] = banks_of(**{part: None})
    keys = {name: key_of_run(encoder, banks) for name, banks in changed.items()}
    assert len({key_of_run(encoder), *keys.values()}) == 1 + len(keys)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.fault_class("stale")
def test_spaces_decide_where_the_model_sees_them(
    encoder: Encoder, original: Encoder, part: str
) -> None:
    unspaced = banks_of(**{part: with_column(part, 9, "SpaceAfter=No")})
    assert key_of_run(original, unspaced) != key_of_run(original)
    assert key_of_run(encoder, unspaced) == key_of_run(encoder)  # single spaces all the same
    assert key_of_run(encoder) != key_of_run(original)


@pytest.mark.fault_class("stale")
def test_the_model_decides(encoder: Encoder, checkpoint: str, tmp_path: Path) -> None:
    """Its weights, and all that makes vectors with it; not where it lies."""
    others = [
        Encoder(save_checkpoint(tmp_path / "other", "gpt2", seed=5), device="cpu"),
        Encoder(checkpoint, device="cpu", pooling="first"),
        Encoder(checkpoint, device="cpu", spacing="original"),
        Encoder(checkpoint, device="cpu", dtype="bfloat16"),
        Encoder(checkpoint, device="cpu", dtype="float16"),
        encoder.untrained(0),
        encoder.untrained(1),
    ]
    keys = [key_of_run(encoder), *map(key_of_run, others)]
    assert len(set(keys)) == len(keys)
    moved = Encoder(save_checkpoint(tmp_path / "moved", "gpt2"), device="cpu", batch_tokens=16)
    assert key_of_run(moved) == keys[0]


@pytest.mark.fault_class("stale")
def test_an_object_that_was_trained_in_place_is_another_model() -> None:
    model = make_model("bert")
    encoder = Encoder(model, tokenizer=make_tokenizer())
    before = key_of_run(encoder)
    assert key_of_run(encoder) == before
    with torch.no_grad():
        next(model.parameters()).add_(0.5)
    assert key_of_run(encoder) != before


@pytest.mark.fault_class("stale")
def test_a_token_in_front_decides(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the tokenizer: by what the encoder says of itself."""
    before = key_of_run(encoder)
    monkeypatch.setattr(encoder, "bos", not encoder.bos)
    assert key_of_run(encoder) != before


DECIDING = {"recipe": "published", "select": "loss", "max_steps": 7, "products": "bfloat16",
            "relations": True}  # fmt: skip
IDLE: dict[str, Any] = {"device": "meta", "memory_gb": 1.5}
IDLE_IN_A_SWEEP: dict[str, Any] = {
    "baselines": False, "untrained": True, "cache": "cache", "keep_predictions": False,
    "save_probes": True, "backend": Backend(3), "command": "structprobe sweep", "progress": False,
    "allow_withheld": True, "controls": "form", "train_sentences": (3, None),
}  # fmt: skip
DECIDING_IN_A_SWEEP: dict[str, Any] = {"stimuli": 26}


@pytest.mark.fault_class("stale")
def test_each_setting_decides_or_does_not(encoder: Encoder) -> None:
    """Every field of the configs is on one of the lists."""
    assert {field.name for field in fields(Training)} == {*DECIDING, *IDLE, "decoding"}
    assert {field.name for field in fields(SweepConfig)} == {
        *("training", *IDLE_IN_A_SWEEP, *DECIDING_IN_A_SWEEP),
    }
    deciding = DECIDING | DECIDING_IN_A_SWEEP
    keys = [key_of_run(encoder, **{name: value}) for name, value in deciding.items()]
    keys += [key_of_run(encoder, relations=one) for one in ("difference", "dependent")]
    keys += [key_of_run(encoder, relations=True, decoding=one) for one in ("root", "joint")]
    grids = Grid((2,), (2,), (0,)), Grid((1,), (3,), (0,)), Grid((1,), (2,), (1,))
    keys += [key_of_run(encoder, grid=grid) for grid in grids]
    keys += [key_of_run(encoder, punct="keep"), key_of_run(encoder, method="probe-untrained")]
    base = key_of_run(encoder)
    assert len({base, *keys}) == 1 + len(keys)
    for name, value in (IDLE | IDLE_IN_A_SWEEP).items():
        assert key_of_run(encoder, **{name: value}) == base, name
    assert key_of_run(encoder, punct="upos") == base  # which is what is chosen here


@pytest.mark.fault_class("stale")
def test_the_numbers_of_a_recipe_decide(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {name: key_of_run(encoder, recipe=name) for name in RECIPES}
    for name, recipe in list(RECIPES.items()):
        for field in fields(recipe):
            with monkeypatch.context() as patch:
                doubled = {field.name: 2 * getattr(recipe, field.name)}
                patch.setitem(RECIPES, name, replace(recipe, **doubled))
                after = {other: key_of_run(encoder, recipe=other) for other in RECIPES}
            assert {other for other in RECIPES if after[other] != before[other]} == {name}


def test_names_of_files_and_sentences_do_not_decide(encoder: Encoder) -> None:
    renamed = {
        part: Treebank.from_text(text_of(part).replace("tiny-", "other-"), path="elsewhere")
        for part in PARTS
    }
    assert key_of_run(encoder, renamed) == key_of_run(encoder)


def test_older_rows_are_found_where_nothing_changed_their_result() -> None:
    """Against keys that were made before they held spaces and the numbers of recipes."""
    values = {
        "method": "probe", "uses_gold": False, "model": "m", "revision": None, "fingerprint": "f",
        "pooling": "mean", "spacing": "words", "bos": False, "dtype": "float32", "layer": 3,
        "rank": 8, "seed": 0, "recipe": "whitened", "max_steps": None, "products": "float32",
    }  # fmt: skip
    banks = Banks.of(Treebank.from_text(tiny_text(5)), Treebank.from_text(tiny_text(5, 1)))
    assert banks.key_of(values) == "fc260f2e90765a6c"
    # The results of these have changed since, or cannot be told from those of other treebanks.
    assert banks.key_of({**values, "recipe": "published"}) != "70e6f9572c89f251"
    assert banks.key_of({**values, "dtype": "float16"}) != "b9f9805e40882e07"
    assert banks.key_of({**values, "spacing": "original"}) != "a8a09b4a772149f8"


class Chain(Recoverer):
    """A method with settings of its own."""

    name = "chain"

    def __init__(self, step: int = 1, way: Any = None, cache: Any = None) -> None:
        self.step, self.way, self.cache = step, way, cache
        self._calls = 0

    def fit(self, train: Any, dev: Any = None) -> Any:
        self.seen_, self._calls = len(train), self._calls + 1
        return self

    def predict(self, sentences: Any) -> list[Prediction]:
        return RightBranching().predict(sentences)


@pytest.mark.fault_class("stale")
def test_a_comparison_is_keyed_by_all_that_decides_it(
    encoder: Encoder,
    original: Encoder,
    checkpoint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def key(
        encoder: Encoder = encoder,
        method: Any = None,
        banks: dict[str, Any] | None = None,
        config: CompareConfig | None = None,
        **more: Any,
    ) -> str:
        how = {"methods": method or Chain(), "folder": tmp_path / "DIR", "config": config, **more}
        return str(compare(encoder, *(banks or banks_of()).values(), **how)[0]["key"])

    unspaced = banks_of(train=with_column("train", 9, "SpaceAfter=No"))
    changed = [
        key(original),
        key(original, banks=unspaced),
        key(Encoder(checkpoint, device="cpu", pooling="last")),
        key(encoder.untrained(0)),
        key(seed=3),
        key(punct="keep"),
        key(method=Chain(step=2)),
        key(method=Chain(way=("a", 1))),
        key(method=Chain(way=encoder)),
        key(method=Chain(way=original)),
        key(method=Chain(way=np.arange(2))),
        *(key(banks=banks) for part in PARTS for banks in changed_banks(part).values()),
    ]
    with monkeypatch.context() as patch:
        patch.setattr(Chain, "version", 2)
        changed.append(key())
    with monkeypatch.context() as patch:
        patch.setitem(RECIPES, "whitened", replace(RECIPES["whitened"], batch_size=7))
        changed.append(key())
    base = key()
    assert len({base, *changed}) == 1 + len(changed)
    idle: dict[str, Any] = {"device": "cpu", "keep_predictions": False, "command": "x"}
    idle |= {"cache": tmp_path / "cache", "progress": False, "allow_withheld": True}
    assert set(idle) == {field.name for field in fields(CompareConfig)}
    for name, value in idle.items():
        assert key(config=CompareConfig(**{name: value})) == base, name
    assert key(banks=unspaced) == base  # single spaces all the same
    assert key(method=Chain(cache="cache")) == base
    assert key(method=Chain().fit([1, 2, 3])) == base


@pytest.mark.fault_class("stale")
def test_what_a_method_is_told_decides(encoder: Encoder) -> None:
    """By its name alone, where brackets in it say all; else by what it is told."""
    few = {"max_steps": 20}
    assert settings_of(Method("probe", BestLayer)) == {}
    assert settings_of(Method("probe", BestLayer, few)) == few
    assert settings_of(Method("probe[max_steps=20]", BestLayer, few)) == {}
    given = settings_of(Method("probe", BestLayer, given=BestLayer(encoder, rank=3, cache="c")))
    assert given["settings"] == {"rank": 3}
    assert given["encoder"]["fingerprint"] == encoder.fingerprint
    assert {"model", "cache"}.isdisjoint({*given, *given["encoder"]})


@pytest.mark.fault_class("stale")
def test_evaluation_is_keyed_likewise(encoder: Encoder, original: Encoder) -> None:
    def key(encoder: Encoder, text: str) -> str:
        method = Chain()
        method.encoder = encoder  # type: ignore[attr-defined]
        return str(evaluate([method], Treebank.from_text(text))[0]["key"])

    unspaced = with_column("test", 9, "SpaceAfter=No")
    assert key(encoder, unspaced) == key(encoder, text_of("test"))
    assert key(original, unspaced) != key(original, text_of("test"))
