"""More of what beginners do wrong in Python: each is answered by one clear line."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.beginner import beginners_world  # noqa: F401 -- a fixture

from structprobe import (
    AttentionMax,
    Backend,
    Encoder,
    FitConfig,
    LayerSweep,
    LinearChain,
    Prediction,
    ProbeRecoverer,
    RandomTree,
    StructuralProbe,
    SweepConfig,
    Training,
    Treebank,
    analyse_heads,
    codelength,
    compare,
    decompose,
    find_probe,
    fit_probe,
    format_table,
    localise,
    read_rows,
    score,
    sweep,
    to_frame,
    transfer,
)
from structprobe.draw import draw_svg
from structprobe.errors import StructprobeError
from structprobe.show import plot_folder
from structprobe.trees import tree_distances

NEW = {"folder": "new"}
ENCODER = "encoder is 'model', not an Encoder; pass Encoder('model')"
SENTENCES = "pass a Treebank, or a list of sentences, each a Sentence or a list of words"
ARRAYS = "pass one array (n_words, hidden_size) per sentence"
FIRST = "predictions[0] (train.conllu:1: sent_id 'tiny-0'): "
SAME = "check that predictions and gold are for the same sentences"


def fit(X: object, y: object, **settings: Any) -> object:
    dev = settings.pop("dev", None)
    return StructuralProbe(**settings).fit(X, y, dev=dev)


def guess(w: SimpleNamespace, **parts: Callable[[int], object]) -> list[Prediction]:
    """Predict the right heads, with other parts made from the number of words."""
    return [Prediction(h, **{k: make(len(h)) for k, make in parts.items()}) for h in w.heads]


MISTAKES: dict[str, tuple[Callable[[Any], object], str]] = {
    'sweep("model", ...)': (
        lambda w: sweep("model", w.bank, w.bank, **NEW),
        ENCODER,
    ),
    'compare("model", ...)': (
        lambda w: compare("model", w.bank, w.bank, w.bank, **NEW),
        ENCODER,
    ),
    'localise("model", ...)': (
        lambda w: localise("model", w.bank, w.bank),
        ENCODER,
    ),
    'codelength("model", ...)': (
        lambda w: codelength("model", w.bank),
        ENCODER,
    ),
    'decompose("model", ...)': (
        lambda w: decompose("model", w.bank, w.bank, w.bank),
        ENCODER,
    ),
    'transfer("model", ...)': (
        lambda w: transfer("model", {"a": (w.bank,) * 3, "b": (None, None, w.bank)}, layer=1),
        ENCODER,
    ),
    'analyse_heads("model", ...)': (
        lambda w: analyse_heads("model", w.bank, w.bank, w.bank),
        ENCODER,
    ),
    'fit_probe("model", ...)': (
        lambda w: fit_probe("model", w.bank, layer=1),
        ENCODER,
    ),
    'AttentionMax("model")': (
        lambda w: AttentionMax("model"),
        ENCODER,
    ),
    "sweep(model, ...)": (
        lambda w: sweep(w.encoder.loaded.model, w.bank, w.bank, **NEW),
        "encoder is a BertModel, not an Encoder; pass Encoder(...)",
    ),
    "sweep(folder=None)": (
        lambda w: sweep(w.encoder, w.bank, w.bank, folder=None),
        "folder is None, not a path; pass the path of a folder",
    ),
    "sweep(layers=9)": (
        lambda w: sweep(w.encoder, w.bank, w.bank, **NEW, layers=9),
        "layer 9 is out of range; the model has layers 0 to 2 (0 = embedding output)",
    ),
    "sweep(layers=1.0)": (
        lambda w: sweep(w.encoder, w.bank, w.bank, **NEW, layers=1.0),
        "'1.0' is not a layer or a range of layers; the model has layers 0 to 2 (0 = "
        "embedding output)",
    ),
    'sweep(ranks="8")': (
        lambda w: sweep(w.encoder, w.bank, w.bank, **NEW, ranks="8"),
        "rank '8' is out of range; choose from 1 to 8 (hidden size)",
    ),
    "sweep(ranks=99)": (
        lambda w: sweep(w.encoder, w.bank, w.bank, **NEW, ranks=99),
        "rank 99 is out of range; choose from 1 to 8 (hidden size)",
    ),
    "sweep(seeds=3.5)": (
        lambda w: sweep(w.encoder, w.bank, w.bank, **NEW, seeds=3.5),
        "seed 3.5 is out of range; use integers, 0 or more",
    ),
    "sweep(config=dict)": (
        lambda w: sweep(w.encoder, w.bank, w.bank, **NEW, config={"jobs": 2}),
        "config is a dict, not a SweepConfig; pass config=SweepConfig(...)",
    ),
    "sweep(config=FitConfig())": (
        lambda w: sweep(w.encoder, w.bank, w.bank, **NEW, config=FitConfig()),
        "config is a FitConfig, not a SweepConfig; pass config=SweepConfig(...)",
    ),
    "sweep(backend of 0 jobs)": (
        lambda w: sweep(w.encoder, w.bank, w.bank, **NEW, config=SweepConfig(backend=Backend(0))),
        "jobs must be a whole number, at least 1, got 0; Backend(jobs=2) runs two at a time",
    ),
    "SweepConfig(backend=2)": (
        lambda w: SweepConfig(backend=2),
        "backend is 2, not a Backend; pass a Backend object, such as Backend(jobs=2)",
    ),
    'SweepConfig("whitened")': (
        lambda w: SweepConfig("whitened"),
        "training is 'whitened'; pass a Training object, such as Training(max_steps=500)",
    ),
    'Training("hewitt")': (
        lambda w: Training("hewitt"),
        "unknown recipe 'hewitt'; choose from 'auto', 'whitened', 'axes-mild', 'axes-strong', "
        "'axes-stronger', 'axes-even', 'published'",
    ),
    "sweep without dev and test": (
        lambda w: sweep(w.encoder, w.bank, None, **NEW),
        "there is nothing to score on; give a dev or a test set",
    ),
    "compare(test=None)": (
        lambda w: compare(w.encoder, w.bank, w.bank, None, **NEW),
        "there is nothing to score on; give a test set",
    ),
    "localise(dev=None)": (
        lambda w: localise(w.encoder, w.bank, None),
        "dev is None; give a dev set, for early stopping",
    ),
    "compare(methods=LinearChain)": (
        lambda w: compare(w.encoder, w.bank, w.bank, w.bank, **NEW, methods=LinearChain),
        "methods is the class LinearChain, not a method or a list of methods; pass names "
        "such as 'probe', or recoverers such as LinearChain()",
    ),
    "compare(methods=None)": (
        lambda w: compare(w.encoder, w.bank, w.bank, w.bank, **NEW, methods=None),
        "methods is None, not a method or a list of methods; pass names such as 'probe', or "
        "recoverers such as LinearChain()",
    ),
    "fit_probe(train=path)": (
        lambda w: fit_probe(w.encoder, "train.conllu", layer=1),
        "item 0 of a Treebank is a str, not a Sentence; use Treebank.read for files, "
        "Treebank.from_words for lists of words",
    ),
    'AttentionMax(layer="1")': (
        lambda w: AttentionMax(w.encoder, layer="1"),
        "layer is '1', not a whole number; layers count from 1",
    ),
    "AttentionMax(head=0)": (
        lambda w: AttentionMax(w.encoder, layer=1, head=0),
        "there is no attention head 0; choose a head from 1 to 2",
    ),
    "AttentionMax before fit": (
        lambda w: AttentionMax(w.encoder).predict(w.bank),
        "the method 'attention-max' is not fitted; call fit first",
    ),
    "LinearChain().predict(text)": (
        lambda w: LinearChain().predict("the dog"),
        f"sentences is 'the dog', not a list of sentences; {SENTENCES}",
    ),
    "LinearChain().predict([text])": (
        lambda w: LinearChain().predict(["the dog"]),
        f"sentence 0 is 'the dog', not a list of words; {SENTENCES}",
    ),
    "RandomTree().predict(number)": (
        lambda w: RandomTree().predict(3),
        f"sentences is 3, not a list of sentences; {SENTENCES}",
    ),
    'RandomTree(random_state="x")': (
        lambda w: RandomTree(random_state="x").predict(w.bank),
        "random_state 'x' is not a valid seed; pass a non-negative integer",
    ),
    "recoverer.predict(None)": (
        lambda w: w.recoverer.predict(None),
        f"sentences is NoneType, not a list of sentences; {SENTENCES}",
    ),
    "recoverer.fit(None)": (
        lambda w: ProbeRecoverer(w.encoder, 1).fit(None),
        f"sentences is NoneType, not a list of sentences; {SENTENCES}",
    ),
    'ProbeRecoverer("model", 1)': (
        lambda w: ProbeRecoverer("model", 1),
        "encoder is 'model', not an Encoder; use ProbeRecoverer(encoder, layer, probe)",
    ),
    "ProbeRecoverer before fit": (
        lambda w: ProbeRecoverer(w.encoder, 1).predict(w.bank),
        "the method 'probe' is not fitted; call fit first",
    ),
    "a probe on a wider model": (
        lambda w: ProbeRecoverer(w.wide, 1, w.probe).predict(w.bank),
        "X has width 12, but the probe was fitted on vectors of width 8",
    ),
    'Encoder(batch_tokens="1")': (
        lambda w: Encoder("model", batch_tokens="1"),
        "batch_tokens must be a whole number, got '1'",
    ),
    'Encoder(max_unknown="x")': (
        lambda w: Encoder("model", max_unknown="x"),
        "max_unknown must be a share from 0 to 1, got 'x'",
    ),
    "Encoder(dtype=np.float32)": (
        lambda w: Encoder("model", dtype=np.float32),
        "unknown dtype \"<class 'numpy.float32'>\"; choose from 'float32', 'bfloat16', 'float16', "
        "'auto'",
    ),
    "Encoder([name])": (
        lambda w: Encoder(["model"]),
        "list is not a transformers model; pass a hub id, a folder, or a transformers model "
        "with tokenizer=",
    ),
    "Encoder(probe)": (
        lambda w: Encoder(w.probe),
        "StructuralProbe is not a transformers model; pass a hub id, a folder, or a "
        "transformers model with tokenizer=",
    ),
    "encode(cache=True)": (
        lambda w: w.encoder.encode(w.bank, cache=True),
        "cache is True, not a path; pass the path of a folder",
    ),
    "encode(layers=True)": (
        lambda w: w.encoder.encode(w.bank, layers=True),
        "True is not a layer number; layers are numbered from 0, the embedding output, to 2",
    ),
    'encode(layers="all")': (
        lambda w: w.encoder.encode(w.bank, layers="all"),
        "'all' is not a layer number; layers are numbered from 0, the embedding output, to 2",
    ),
    "encode([text])": (
        lambda w: w.encoder.encode(["the dog"]),
        f"sentence 0 is 'the dog', not a list of words; {SENTENCES}",
    ),
    "encode([[number]])": (
        lambda w: w.encoder.encode([["the", 3]]),
        "sentence 0: word 2 is 3, not a string",
    ),
    "encoded.layer(-1)": (
        lambda w: w.encoded.layer(-1),
        "layer -1 was not encoded (available: 0-2); encode the treebank again with this "
        "layer in layers=",
    ),
    "fit(X.T, y)": (
        lambda w: fit([x.T for x in w.X], w.bank),
        "X[2]: the vectors have width 6, those of X[0] have width 7",
    ),
    "fit(X[0], y)": (
        lambda w: fit(w.X[0], w.bank),
        f"X[0]: array has shape (8,) and type float32; {ARRAYS}",
    ),
    "fit(generator, y)": (
        lambda w: fit(iter(w.X), w.bank),
        f"X is generator, not a list of arrays; {ARRAYS}",
    ),
    "fit(strings, y)": (
        lambda w: fit([x.astype(str) for x in w.X], w.bank),
        f"X[0]: array has shape (7, 8) and type <U32; {ARRAYS}",
    ),
    "fit(booleans, y)": (
        lambda w: fit([x > 0 for x in w.X], w.bank),
        f"X[0]: array has shape (7, 8) and type bool; {ARRAYS}",
    ),
    "fit(NaN, y)": (
        lambda w: fit([x * np.nan for x in w.X], w.bank),
        "train.conllu:1: sent_id 'tiny-0': X[0], word 1: the vector contains NaN or infinity; "
        "encode the treebank again, in float32",
    ),
    "fit(DataFrame, y)": (
        lambda w: fit(pd.DataFrame(np.concatenate(list(w.X))), w.bank),
        "X is a DataFrame; pass one of its columns, as X['column'], with one array per sentence",
    ),
    "fit(y, X)": (
        lambda w: fit(w.bank, w.X),
        f"X[0]: array has shape () and type object; {ARRAYS}",
    ),
    "fit(X, 0-based heads)": (
        lambda w: fit(w.X, [h - 1 for h in w.heads]),
        "heads[0]: word 4 is its own head; use another head, or 0 for the root",
    ),
    "fit(X, all heads in one)": (
        lambda w: fit(w.X, np.concatenate(w.heads)),
        "X has 12 sentences, y has 52; they first differ at sentence 0 (counted from 0)",
    ),
    "fit(X, sentences without heads)": (
        lambda w: fit(w.X, [None] * len(w.bank)),
        "y[0]: the sentence has no heads; a probe is trained on trees",
    ),
    "fit(X, too few)": (
        lambda w: fit(w.X, w.bank[:3]),
        "X has 12 sentences, y has 3; they first differ at sentence 3 (counted from 0)",
    ),
    "fit(X, y, dev=wider)": (
        lambda w: fit(w.X, w.bank, dev=(w.wider, w.bank)),
        "X_dev has width 12, but the probe was fitted on vectors of width 8",
    ),
    'StructuralProbe(rank="8")': (
        lambda w: fit(w.X, w.bank, rank="8"),
        "rank must be an integer from 1 to 8, got '8'",
    ),
    "StructuralProbe(max_steps=np.True_)": (
        lambda w: fit(w.X, w.bank, max_steps=np.True_),
        "max_steps must be a positive integer, got np.True_",
    ),
    "StructuralProbe(device=[0])": (
        lambda w: fit(w.X, w.bank, device=[0]),
        "unknown device [0]; choose from 'auto', 'cpu', 'cuda', 'cuda:1', 'mps'",
    ),
    "LayerSweep().fit(one layer)": (
        lambda w: LayerSweep().fit(w.X, w.bank),
        "X is WordVectors, not the vectors of several layers; pass an EncodedBank or a dict "
        "of vectors by layer",
    ),
    "probe.save_pretrained(None)": (
        lambda w: w.probe.save_pretrained(None),
        "folder is None, not a path; pass the path of a folder",
    ),
    "from_pretrained(probe)": (
        lambda w: StructuralProbe.from_pretrained(w.probe),
        "source is a StructuralProbe, not a path; pass the path of a folder",
    ),
    'find_probe(layer="1")': (
        lambda w: find_probe("results", layer="1"),
        "results: no saved probe has layer '1'; saved: layer 0, 1",
    ),
    "read_rows(None)": (
        lambda w: read_rows(None),
        "folder is None, not a path; pass the path of a folder",
    ),
    "read_rows(no folder)": (
        lambda w: read_rows("nowhere"),
        "nowhere: no such folder; name a folder that sweep or compare wrote",
    ),
    "format_table(folder)": (
        lambda w: format_table("results"),
        "rows is 'results', not a list of rows; pass read_rows(folder)",
    ),
    "to_frame([1])": (
        lambda w: to_frame([1]),
        "rows is 1, not a list of rows; pass read_rows(folder)",
    ),
    "plot_folder(out=file)": (
        lambda w: plot_folder("results", "new.pdf"),
        "new.pdf: is the name of a file, not of a folder; figures go into a folder; choose "
        "their format with formats=",
    ),
    'Treebank.read("")': (
        lambda w: Treebank.read(""),
        "'': no such file; check the path",
    ),
    "Treebank.from_words(text)": (
        lambda w: Treebank.from_words(["the dog ran"]),
        "sentence 0 is a single string: 'the dog ran'; give a list of words, such as text.split()",
    ),
    "score(paths)": (
        lambda w: score("test.conllu", "dev.conllu"),
        "gold is 'test.conllu', not a list; write score(gold, predictions): a Treebank, and "
        "a list of Predictions",
    ),
    "score(sentence, prediction)": (
        lambda w: score(w.bank[0], guess(w)[0]),
        "gold is a Sentence, not a list; write score(gold, predictions): a Treebank, and a "
        "list of Predictions",
    ),
    "score(heads instead of predictions)": (
        lambda w: score(w.bank, w.heads),
        "predictions[0] is a ndarray, not a Prediction; write score(gold, predictions), the "
        "gold sentences first",
    ),
    "score(heads as float)": (
        lambda w: score(w.bank, [Prediction(h * 1.0) for h in w.heads]),
        f"{FIRST}heads must be a sequence of integers, not array([3., 4., 2., 5., 6., 0., "
        "1.]); pass one head per word, 1-based, with 0 for the root",
    ),
    "score(depths of other words)": (
        lambda w: score(w.bank, guess(w, depths=lambda n: np.zeros(n + 1))),
        f"{FIRST}depths of shape (8,) instead of (7,) for 7 words; {SAME}",
    ),
    "score(distances of one row)": (
        lambda w: score(w.bank, guess(w, distances=np.zeros)),
        f"{FIRST}distances of shape (7,) instead of (7, 7) for 7 words; {SAME}",
    ),
    "draw_svg(None)": (
        lambda w: draw_svg(None, [0]),
        "words is None, not a list of words; pass words and heads",
    ),
    "draw_svg(text)": (
        lambda w: draw_svg("the dog", [2, 0]),
        "heads of shape (2,) do not match 7 words; give one head per word",
    ),
    "tree_distances(floats)": (
        lambda w: tree_distances([0.5]),
        "heads[0]: heads must be a sequence of integers, not [0.5]; pass one head per word, "
        "1-based, with 0 for the root",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_python(mistake: str, world: SimpleNamespace) -> None:
    made, said = MISTAKES[mistake]
    with pytest.raises(StructprobeError) as caught:
        made(world)
    assert str(caught.value) == said
