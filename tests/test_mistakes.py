"""What beginners do wrong, in the shell and in Python: each is answered by one clear line."""

from __future__ import annotations

import io
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.beginner import FIT, SWEEP, beginners_world  # noqa: F401 -- a fixture
from transformers import AutoModel

from structprobe import Encoder, ProbeRecoverer, Sentence, StructuralProbe, Treebank, score
from structprobe.cli.main import main
from structprobe.draw import draw_svg
from structprobe.errors import StructprobeError

PIPE = "to parse a sentence, pipe it in: echo 'the dog ran' | structprobe parse PROBE - --text"

# Mistakes on the command line itself end with status 2 and a line that says where help is.
USAGE = {
    "structprobe fit --modle model": "unknown option --modle; did you mean --model?",
    f"structprobe {FIT} --layer encoder.layer.3": (
        "--layer/--layers: 'encoder.layer.3' is not a layer; the output of this module is layer 4 "
        "(0 = embedding output)"
    ),
    f"structprobe {FIT} --layer -1": (
        "--layer/--layers: '-1' is not a layer; 0 is the embedding output, 1 the first layer"
    ),
    f"structprobe {FIT} --layer 2,3": (
        "--layer/--layers: '2,3' names several layers; this command takes one"
    ),
    f"structprobe {FIT} --rank 2,4": (
        "--rank/--ranks: '2,4' is a list; this command takes one value"
    ),
    f"structprobe {FIT} --seed -1": "--seed/--seeds: '-1' is not a whole number of at least 0",
    f"structprobe {FIT} --punct upso": (
        "--punct: unknown value 'upso' (did you mean 'upos'?); choose from 'upos', 'xpos', 'keep', "
        "'polar'"
    ),
    "structprobe fit --model model --layer 1 -o new": "missing --treebank or --train",
    "structprobe fit --model model --layer 1 -o new --treebank UD_A UD_B": (
        "--treebank: 2 given; this command takes one treebank"
    ),
    f"structprobe {SWEEP} --treebank UD_Toy-One": (
        "give either --treebank or --train: a treebank has its own parts"
    ),
    f"structprobe {SWEEP} --epochs 5": "unknown option --epochs; did you mean --max-steps?",
    f"structprobe {SWEEP} --ranks 2;4": (
        "--ranks/--rank: '2;4' is not a whole number of at least 1 (write a list as 32,128)"
    ),
    "structprobe compare --model model --train t --dev d -o new": "missing --test",
    "structprobe compare --model model --treebank t -o new --rank 8": (
        "unknown option --rank; give a method its options in brackets, as in --methods "
        "'probe[rank=64]'"
    ),
    "structprobe evaluate probe": (
        "missing TEST: name a CoNLL-U file with gold trees, or --treebank"
    ),
    "structprobe fit --model model --train train.conllu -o new": "missing --layer",
    "structprobe fit model": "missing --model, --layer and -o/--out",
    f"structprobe {FIT} --rank": "--rank/--ranks: a value is missing",
    f"structprobe {SWEEP} --treebank": "--treebank: a value is missing",
    "structprobe parse results": (
        "missing IN (CoNLL-U file or, with --text, plain text; - for standard input)"
    ),
    "structprobe parse probe the dog ran --text": f"unexpected argument 'dog'; {PIPE}",
    "structprobe encode --model model --cache c": ("missing FILE or --treebank: nothing to encode"),
    "structprobe plot results -o new --format pdf,svg": (
        "--format: 'pdf,svg' is not one value; separate values by spaces"
    ),
    "structprobe plot results -o new --format jpg": (
        "--format: unknown value 'jpg' (did you mean 'png'?); choose from 'pdf', 'svg', 'png'"
    ),
    "structprobe serve results --port 99999": (
        "--port: '99999' is not a port; give a number up to 65535"
    ),
    "structprobe --verbose demo": ("unknown option --verbose; a command's options follow its name"),
}

# Mistakes in what the command line names end with status 1, before long work.
DATA = {
    FIT.replace("--layer 1", "--layer 99"): (
        "layer 99 is out of range; the model has layers 0 to 2 (0 = embedding output)"
    ),
    f"{FIT} --rank 9": "rank 9 is out of range; choose from 1 to 8 (hidden size)",
    FIT.replace("train.conllu", "trian.conllu"): (
        "trian.conllu: no such file; did you mean 'train.conllu'?"
    ),
    FIT.replace("train.conllu", "UD_Toy-One"): (
        "UD_Toy-One: is a folder, not a file; give its files, such as UD_Toy-One/*.conllu, or the "
        "folder as --treebank if the command has it"
    ),
    FIT.replace("--train train.conllu", "--treebank train.conllu"): (
        "train.conllu: is a file, not the folder of a treebank; name files with --train, --dev and "
        "--test"
    ),
    FIT.replace("--train train.conllu", "--treebank UD_Englsh-EWT"): (
        "UD_Englsh-EWT: no such treebank here; did you mean UD_English-EWT? `structprobe treebank "
        "UD_English-EWT` fetches it"
    ),
    FIT.replace("train.conllu", "headless.conllu"): (
        "headless.conllu:1: a sentence in the train treebank has no heads; use an annotated "
        "treebank"
    ),
    FIT.replace("-o new", "-o probe"): (
        "probe: already contains a saved probe; name another folder, or replace it with --force"
    ),
    FIT.replace("-o new", "-o thesis"): (
        "thesis: the folder exists and is not a saved probe; choose a new or empty folder"
    ),
    FIT.replace("--model model", "--model bert-base-csaed"): (
        "model 'bert-base-csaed': not a local folder, not fully downloaded to the Hugging Face "
        "cache, and the hub cannot be reached; check the name, or download it while online: "
        "hf download bert-base-csaed"
    ),
    FIT.replace("--model model", "--model minlm"): (
        "model 'minlm' (did you mean 'minilm'?): not a local folder, not fully downloaded to the "
        "Hugging Face cache, and the hub cannot be reached; check the name, or download it while "
        "online: hf download minlm"
    ),
    f"{FIT} --device gpu": (
        "unknown device 'gpu' (did you mean 'cpu'?); choose from 'auto', 'cpu', 'cuda', 'cuda:1', "
        "'mps'"
    ),
    SWEEP.replace("--dev dev.conllu ", ""): (
        "there is nothing to score on; give a dev or a test set"
    ),
    SWEEP.replace("-o new", "-o thesis"): (
        "thesis: the folder exists and is not a structprobe results folder; choose a new or empty "
        "folder"
    ),
    "compare --model model --treebank UD_Toy-One -o new --methods 'attention-max[lyer=3]'": (
        "attention-max: unknown option 'lyer' (did you mean 'layer'?); choose from 'layer', "
        "'head', 'gold_root', 'special', 'symmetrised', 'direction'"
    ),
    "evaluate test.conllu probe": (
        "test.conllu: is a file, not a saved probe; PROBE comes first, then the file"
    ),
    "evaluate probe sample": "sample: no such file; for a treebank by name, use --treebank sample",
    "evaluate bare test.conllu": (
        "bare: this results folder holds no saved probes; sweep into a new folder with "
        "--save-probes, or name a folder that `fit` wrote"
    ),
    "evaluate results test.conllu --layer 7": (
        "results: no saved probe has layer 7; saved: layer 0, 1"
    ),
    "evaluate probe test.conllu --layer 2": (
        "probe: layer 2 was given, but this is not a results folder; leave out --layer for a "
        "single saved probe"
    ),
    "evaluate thesis test.conllu": "thesis: is not a saved probe: it has no config.json",
    "the dog ran | parse probe -": (
        "<stdin>: plain text, not CoNLL-U; add --text to parse plain text, one sentence per line"
    ),
    "parse probe 'the dog ran' --text": f"the dog ran: no such file; {PIPE}",
    "parse probe - --text": "<stdin>: there is no text to parse",
    "parse probe test.conllu -o train.conllu": (
        "train.conllu: already exists; choose another file, or use --force to replace it"
    ),
    "report thesis -o new": (
        "thesis: is neither a results folder nor a saved probe; name a folder that `structprobe "
        "sweep`, `compare` or `fit` wrote"
    ),
    "plot probe -o new": (
        "probe: is not a results folder; name a folder that sweep, compare or heads wrote"
    ),
    FIT.replace("train.conllu", "blank.conllu"): (
        "blank.conllu: the text is withheld: 3 of 3 words are `_`; its README should say how to "
        "restore the words, or use --allow-withheld"
    ),
    FIT.replace("--train train.conllu", "--treebank UD_Two"): (
        "UD_Two: holds 2 treebanks: en_ewt-ud, en_gum-ud; name the files of one with --train, "
        "--dev and --test"
    ),
    FIT.replace("--train train.conllu", "--treebank thesis"): (
        "thesis: is not the folder of a treebank; its files should have names such as "
        "en_ewt-ud-train.conllu or train.conllu"
    ),
    FIT.replace("train.conllu", "train.conllu.xz"): (
        "train.conllu.xz: an xz file, not CoNLL-U; unpack it with: xz -dc"
    ),
    FIT.replace("train.conllu", "bank.zip"): (
        "bank.zip: a zip archive, not CoNLL-U; unpack it with: unzip -p"
    ),
    FIT.replace("train.conllu", "/dev/zero"): (
        "/dev/zero: is a device, which may have no end; give a file or a pipe"
    ),
    FIT.replace("train.conllu", "conllx"): (
        "conllx:1: this is CoNLL-X, not CoNLL-U: DEPS is '0', a head without a relation; convert "
        """it with: awk -F'\\t' -v OFS='\\t' 'NF{$9=$10="_"}1'"""
    ),
    FIT.replace("train.conllu", "conllup"): (
        "conllup:1: unsupported global.columns: 'ID UPOS', without FORM; name each column once, "
        "ID and FORM among them"
    ),
    "score cycle.conllu cycle.conllu": (
        "cycle.conllu:2: the heads form a cycle: 2 → 3 → 2; every word must be connected to the "
        "root"
    ),
    "encode train.conllu --model model --cache c --shard 9/8": (
        "there is no shard 9 of 8; shards are numbered from 1, such as 1/8 to 8/8"
    ),
}


@pytest.mark.parametrize("command", USAGE)
def test_a_mistake_on_the_command_line(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(shlex.split(command)[1:])
    assert stop.value.code == 2
    name = command.split()[1]
    program = "structprobe" if name.startswith("-") else f"structprobe {name}"
    printed = capsys.readouterr()
    assert printed.err == f"{program}: error: {USAGE[command]} (see '{program} --help')\n"
    assert printed.out == ""


@pytest.mark.parametrize("command", DATA)
@pytest.mark.usefixtures("world")
def test_a_mistake_in_what_is_named(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text, _, given = command.rpartition(" | ")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    before = sorted(Path().rglob("*"))
    capsys.readouterr()
    assert main([*shlex.split(given), "-q"]) == 1
    printed = capsys.readouterr()
    assert printed.err == f"structprobe: error: {DATA[command]}\n"
    assert printed.out == ""
    assert sorted(Path().rglob("*")) == before


PYTHON: dict[str, tuple[Callable[[Any], object], str]] = {
    "probe.fit(encoded, y)": (
        lambda w: StructuralProbe().fit(w.encoded, w.heads),
        "X holds the vectors of several layers (0, 1, 2); choose one: X.layer(n)",
    ),
    "probe.fit(X, y, dev=bank)": (
        lambda w: StructuralProbe().fit(w.X, w.bank, dev=w.bank),
        "dev is Treebank, not a pair; pass dev=(X_dev, y_dev)",
    ),
    "probe.predict(X) before probe.fit": (
        lambda w: StructuralProbe().predict(w.X),
        "this StructuralProbe is not fitted; call fit, or load a saved probe with from_pretrained",
    ),
    "StructuralProbe(rank=0)": (
        lambda w: StructuralProbe(rank=0).fit(w.X, w.bank),
        "rank must be an integer from 1 to 8, got 0",
    ),
    "ProbeRecoverer(probe, encoder)": (
        lambda w: ProbeRecoverer(w.probe, w.encoder),
        "encoder is a StructuralProbe, not an Encoder; use ProbeRecoverer(encoder, layer, probe)",
    ),
    "recoverer.predict(text)": (
        lambda w: w.recoverer.predict("the dog ran"),
        "sentences is 'the dog ran', a string; pass a Treebank, or a list of sentences, each a "
        "Sentence or a list of words",
    ),
    "recoverer.predict(sentence)": (
        lambda w: w.recoverer.predict(w.bank[0]),
        "sentences is Sentence, not a list of sentences; pass a Treebank, or a list of sentences, "
        "each a Sentence or a list of words",
    ),
    "Encoder(model) without a tokenizer": (
        lambda w: Encoder(AutoModel.from_pretrained("model")),
        "a loaded model needs its loaded tokenizer; Encoder(model, "
        "tokenizer=AutoTokenizer.from_pretrained(...))",
    ),
    "encoder.encode(bank, layers=9)": (
        lambda w: w.encoder.encode(w.bank, layers=9),
        "there is no layer 9, only 0 to 2; 0 is the embedding output",
    ),
    "Treebank(path)": (
        lambda w: Treebank("train.conllu"),
        "item 0 of a Treebank is a str, not a Sentence; use Treebank.read for files, "
        "Treebank.from_words for lists of words",
    ),
    "Treebank.read(None)": (
        lambda w: Treebank.read(None),
        "None is not a path; give a path, a glob pattern or a list of them",
    ),
    "Treebank.read(text)": (
        lambda w: Treebank.read("1\tgo\n"),
        r"'1\tgo\n' is not a path; give a path, a glob pattern or a list of them; "
        "Treebank.from_text reads text",
    ),
    "Treebank.from_text(path)": (
        lambda w: Treebank.from_text("train.conllu"),
        "train.conllu: is a path, not text; read it with Treebank.read",
    ),
    "Treebank.from_text(lines)": (
        lambda w: Treebank.from_text(["1", "2"]),
        "['1', '2'] is not text; give the text of a CoNLL-U file; Treebank.read takes paths",
    ),
    "Sentence(words=text)": (
        lambda w: Sentence("the dog"),
        "words is a single string: 'the dog'; give a list of strings",
    ),
    "Sentence(words=numbers)": (
        lambda w: Sentence([1]),
        "words[0] is 1, not a string; give strings",
    ),
    "score(predictions, bank)": (
        lambda w: score(w.recoverer.predict(w.bank), w.bank),
        "predictions[0] is a Sentence, not a Prediction; write score(gold, predictions), the gold "
        "sentences first",
    ),
    "draw_svg with heads counted from 0": (
        lambda w: draw_svg(["the", "dog"], [1, -1]),
        "heads[0]: word 1 is its own head; use another head, or 0 for the root",
    ),
}


@pytest.mark.parametrize("mistake", PYTHON)
def test_a_mistake_in_python(mistake: str, world: SimpleNamespace) -> None:
    made, said = PYTHON[mistake]
    with pytest.raises(StructprobeError) as caught:
        made(world)
    assert str(caught.value) == said


def test_a_sentence_is_parsed_as_text_is(world: SimpleNamespace) -> None:
    """Once a mistake, which is understood now."""
    sentence = world.bank[0]
    parsed = world.recoverer.parse(sentence)
    assert parsed.words == sentence.words
    again = world.recoverer.parse(" ".join(sentence.words))
    assert parsed.heads.tolist() == again.heads.tolist()


def test_there_are_forty_mistakes_at_least() -> None:
    """With those in test_mistakes_in_shell.py and test_mistakes_in_python.py, over 250."""
    assert len(USAGE) + len(DATA) + len(PYTHON) >= 40
