"""More of what beginners do wrong in the shell: each is answered by one clear line."""

from __future__ import annotations

import io
import shlex
import socket
import sys
from pathlib import Path

import pytest
import torch
from support.beginner import FIT, SWEEP, beginners_world  # noqa: F401 -- a fixture

from structprobe.cli.main import COMMANDS, main
from structprobe.recoverers.methods import find_methods
from structprobe.treebank.controls import TASKS

COMPARE = "compare --model model --treebank UD_Toy-One -o new --methods"
NO_DEVICE = (
    f"device 'cuda:99' is not available; {torch.cuda.device_count()} CUDA devices found; "
    "--device auto uses what is available"
)
METHODS = ", ".join(map(repr, [*find_methods(), "all"]))

# Mistakes on the command line itself.
USAGE = {
    f"structprobe {FIT} --train ''": "--train: the value is empty",
    f"structprobe {SWEEP} --layers 0 1": (
        "unexpected argument '1'; separate values by commas, as in --layers 0,8"
    ),
    f"structprobe {SWEEP} --layers 0..2": (
        "--layers/--layer: '0..2' is not a layer or a range of layers; 0 is the embedding output, "
        "1 the first layer"
    ),
    f"structprobe {FIT} --layer 1.0": (
        "--layer/--layers: '1.0' is not a layer; 0 is the embedding output, 1 the first layer"
    ),
    f"structprobe {FIT} --rank two": "--rank/--ranks: 'two' is not a whole number of at least 1",
    f"structprobe {FIT} --max-steps 1e3": "--max-steps: '1e3' is not a whole number of at least 1",
    f"structprobe {FIT} --memory-gb lots": "--memory-gb: 'lots' is not a number above 0",
    f"structprobe {FIT} --max-unknown half": "--max-unknown: 'half' is not a share from 0 to 1",
    f"structprobe {FIT} --dtype fp16": (
        "--dtype: unknown value 'fp16'; choose from 'float32', 'bfloat16', 'float16', 'auto'"
    ),
    f"structprobe {FIT} --pooling max": (
        "--pooling: unknown value 'max'; choose from 'mean', 'first', 'last'"
    ),
    f"structprobe {FIT} --quiet=1": "-q/--quiet: takes no value, but '1' was given",
    f"structprobe {FIT} -q -v": "-v/--verbose: not allowed with argument -q/--quiet",
    f"structprobe {FIT} --methods probe": (
        "unknown option --methods; these commands have it: compare"
    ),
    f"structprobe {FIT} --recipe hewitt": (
        "--recipe: unknown value 'hewitt'; choose from 'auto', 'whitened', 'published'"
    ),
    "structprobe evaluate probe dev.conllu -o out": (
        "unknown option -o; these commands have it: treebank, fit, parse, sweep, codelength, "
        "incremental, heads, compare, behave, intervene, outcomes, plot, "
        "report, demo"
    ),
    "structprobe evaluate probe dev.conllu --rev x": (
        "unknown option --rev; did you mean --revision?"
    ),
    "structprobe evaluate --probe probe dev.conllu": (
        "unknown option --probe; give PROBE without an option"
    ),
    "structprobe evaluate probe dev.conllu --treebank UD_Toy-One": (
        "give only one of TEST, --test and --treebank"
    ),
    "structprobe score --gold a.conllu --system b.conllu": (
        "unknown options --gold and --system; give GOLD without an option"
    ),
    "structprobe score test.conllu": "missing SYSTEM (CoNLL-U file with the trees to score)",
    "structprobe compare --model model --treebank t -o new --methods probe linear": (
        "unexpected argument 'linear'; separate methods by commas"
    ),
    "structprobe compare --model model --treebank t -o new --seed 0,1": (
        "--seed/--seeds: '0,1' is a list; this command takes one value"
    ),
    f"structprobe {SWEEP} --seeds 0-4": (
        "--seeds/--seed: '0-4' is not a whole number of at least 0 (write a list as 32,128)"
    ),
    f"structprobe {SWEEP} --jobs all": "--jobs: 'all' is not a whole number of at least 1",
    "structprobe localise --model model --treebank t --probe prob": (
        "--probe: unknown value 'prob' (did you mean 'probe'?); choose from 'probe', 'probe-tree', "
        "'biaffine'"
    ),
    "structprobe localise --model model --train train.conllu": "missing --dev",
    "structprobe axes --model model --treebank t --tasks syntax-depths": (
        "--tasks: unknown value 'syntax-depths' (did you mean 'syntax-depth'?); choose from "
        + ", ".join(map(repr, TASKS))
    ),
    "structprobe axes --model model --treebank t --l1 -1": (
        "--l1: '-1' is not a number of at least 0"
    ),
    "structprobe order --model model --tasks subjects": (
        "--tasks: unknown value 'subjects' (did you mean 'subject'?); choose from 'index', "
        "'auxiliary', 'subject'"
    ),
    "structprobe behave --model model": "missing SUITE (file of minimal pairs (BLiMP .jsonl; two "
    "columns .tsv or .csv) or of a SyntaxGym suite (.json), folder of such files, quoted glob, or "
    "own:agreement,attractors,distance,nesting for generated English pairs (own: all); one or "
    "more)",
    "structprobe behave --model model pairs.tsv --per char": (
        "--per: unknown value 'char'; choose from 'token', 'word'"
    ),
    "structprobe behave --model model pairs.tsv --pairs 0": (
        "--pairs: '0' is not a whole number of at least 1"
    ),
    "structprobe behave --model model pairs.tsv --surprisals x.tsv -o new": (
        "--surprisals goes without -o: rows that are there already are not scored again"
    ),
    "structprobe intervene --treebank t": "missing --model or --probe",
    "structprobe intervene --model model --treebank t": (
        "missing --layer and --rank, without --probe"
    ),
    "structprobe intervene --probe probe --treebank t --rank 3": (
        "--rank: PROBE has a rank; leave it out"
    ),
    "structprobe incremental probe": (
        "missing TEST: name a CoNLL-U file with gold trees, or --treebank"
    ),
    "structprobe incremental probe dev.conllu --sentence tiny-0": (
        "--sentence names what to draw; add -o DIR"
    ),
    "structprobe heads --model model --treebank t --layer 1": (
        "unknown option --layer; these commands have it: fit, evaluate, stimuli, parse, "
        "encode, sweep, localise, codelength, decompose, axes, order, incremental, transfer, "
        "intervene, outcomes, serve"
    ),
    "structprobe treebank": "missing NAME (name of the treebank, such as UD_English-EWT)",
    "structprobe treebank UD_English-EWT --release latest": (
        "--release: 'latest' is not a UD release; give a number such as 2.16"
    ),
    "structprobe treebank UD_English-EWT UD_French-GSD": "unexpected argument 'UD_French-GSD'",
    "structprobe plot results -o new --format PDF": (
        "--format: unknown value 'PDF' (did you mean 'pdf'?); choose from 'pdf', 'svg', 'png'"
    ),
    "structprobe serve probe --port abc": "--port: 'abc' is not a port; give a number up to 65535",
    "structprobe fti --model model": (
        "unknown command 'fti' (did you mean 'fit'?); choose from " + ", ".join(map(repr, COMMANDS))
    ),
    "structprobe help fti": (
        "unknown command 'fti' (did you mean 'fit'?); choose from " + ", ".join(map(repr, COMMANDS))
    ),
    "structprobe --fit": "unknown option --fit; a command's options follow its name",
}

# Mistakes in what the command line names.
DATA = {
    f"{FIT} --device cuda:99": NO_DEVICE,
    f"{FIT} --revision v2": (
        "revision 'v2' was given, but 'model' is a local folder; leave out the revision, or pass a "
        "hub id"
    ),
    FIT.replace("--model model", "--model https://huggingface.co/bert-base-cased"): (
        "model 'https://huggingface.co/bert-base-cased' is an address, not a name; pass its hub "
        "id: bert-base-cased"
    ),
    FIT.replace("--model model", "--model 'bert base cased'"): (
        "model 'bert base cased' is neither a folder nor a hub id; a hub id has only "
        "letters, digits, and . - _ /, such as google/mt5-small"
    ),
    FIT.replace("--model model", "--model model/config.json"): (
        "no model folder 'model/config.json': it is a file; pass the folder that holds it: 'model'"
    ),
    FIT.replace("--model model", "--model probe"): (
        "'probe' is a saved probe, not a model; pass the model that the probe was fitted on"
    ),
    FIT.replace("--model model", "--model results"): (
        "not a model folder: no config.json in results; pass a folder written by save_pretrained"
    ),
    FIT.replace("--model model", "--model train.conllu"): (
        "no model folder 'train.conllu': it is a file; pass a hub id, a folder written by "
        "save_pretrained, or a .gguf file"
    ),
    SWEEP.replace("--model model", "--model model,other"): (
        "model 'model,other' is neither a folder nor a hub id; a hub id has only "
        "letters, digits, and . - _ /, such as google/mt5-small"
    ),
    FIT.replace("train.conllu", "http://example.org/train.conllu"): (
        "http://example.org/train.conllu: an address, not a file; download the file first"
    ),
    FIT.replace("train.conllu", "'*.connlu'"): (
        "*.connlu: the pattern matches no file; did you mean 'dev.conllu'?"
    ),
    FIT.replace("train.conllu", "nowhere/train.conllu"): (
        "nowhere/train.conllu: no such file; there is no folder 'nowhere' either"
    ),
    FIT.replace("train.conllu", "text.txt"): (
        "text.txt:1: 1 column instead of ten: 'the dog ran'; separate columns by tabs and write "
        "`_` for missing values"
    ),
    FIT.replace("train.conllu", "empty.conllu"): (
        "empty.conllu: an empty file; give a CoNLL-U file"
    ),
    f"{FIT} --cache train.conllu": "train.conllu is a file, not a cache folder",
    f"{FIT} --cache thesis": (
        "thesis exists and is not a structprobe cache; choose a new or empty folder"
    ),
    FIT.replace("-o new", "-o train.conllu"): (
        "train.conllu: is a file, not a folder; choose another folder"
    ),
    FIT.replace("-o new", "-o train.conllu/new"): (
        "train.conllu/new: 'train.conllu' is a file, not a folder; choose another folder"
    ),
    f"{FIT} --lang deu_Latn": (
        "model: lang='deu_Latn', but neither the model nor its tokenizer takes a language code; "
        "leave it out"
    ),
    f"{FIT} --gguf-file x.gguf": "no file 'x.gguf' in model; GGUF files there: none",
    "evaluate results dev.conllu --rank 99": "results: no saved probe has rank 99; saved: rank 8",
    "evaluate model dev.conllu": (
        "model/config.json: not the config of a structural probe; name a folder that `structprobe "
        "fit` wrote"
    ),
    "evaluate probe/config.json dev.conllu": (
        "probe/config.json: is a file, not a saved probe; name its folder, probe"
    ),
    "evaluate nowhere dev.conllu": (
        "nowhere: no such folder; pass a folder, or a hub id of the form 'owner/name'"
    ),
    "evaluate probe dev.conllu --punct xpos": (
        "gold[0] (dev.conllu:1: sent_id 'tiny-0'): punct='xpos': no XPOS for 7 words; choose "
        "--punct from upos, xpos (each needs its column), keep"
    ),
    "evaluate probe dev.conllu --device cuda:99": NO_DEVICE,
    "evaluate probe --treebank UD_Toy": (
        "UD_Toy: no such folder; give the folder of a treebank, or a name such as UD_English-EWT "
        "that `structprobe treebank` has fetched"
    ),
    "score test.conllu dev.conllu": (
        "dev.conllu:1: sent_id 'tiny-0': sentence 1 differs from the gold file at word 1: '.' "
        "instead of 'the' at test.conllu:1: sent_id 'tiny-0'; both files must contain the same "
        "sentences and words"
    ),
    "score test.conllu headless.conllu": (
        "headless.conllu:1: a sentence in the system treebank has no heads; use an annotated "
        "treebank"
    ),
    "score UD_Toy-One test.conllu": (
        "UD_Toy-One: is a folder, not a file; give its files, such as UD_Toy-One/*.conllu, or the "
        "folder as --treebank if the command has it"
    ),
    "parse probe nowhere.conllu": "nowhere.conllu: no such file; did you mean 'headless.conllu'?",
    "parse probe text.txt": (
        "text.txt: plain text, not CoNLL-U; add --text to parse plain text, one sentence per line"
    ),
    "parse probe test.conllu -o thesis": "thesis: is a folder; give a file name",
    "parse probe test.conllu -o nowhere/out.conllu": (
        "nowhere/out.conllu: there is no folder 'nowhere'; create it, or choose another"
    ),
    "parse probe test.conllu --text": "test.conllu: CoNLL-U, not plain text; leave out --text",
    "parse text.txt probe --text": (
        "text.txt: is a file, not a saved probe; PROBE comes first, then the file"
    ),
    "encode train.conllu --model model --cache results": (
        "results exists and is not a structprobe cache; choose a new or empty folder"
    ),
    "encode train.conllu --model model --cache c --layers 2-1": (
        "the range of layers '2-1' is reversed; the model has layers 0 to 2 (0 = embedding "
        "output); use 'all', or a list such as '0,1-2'"
    ),
    "encode train.conllu --model model --cache c --shard 1": (
        "'1' is not a shard; use the form 3/8"
    ),
    f"{SWEEP} --layers 0-9": (
        "layer 9 is out of range; the model has layers 0 to 2 (0 = embedding output); use 'all', "
        "or a list such as '0,1-2'"
    ),
    f"{SWEEP} --ranks 4,99": "rank 99 is out of range; choose from 1 to 8 (hidden size)",
    f"{SWEEP} --backend loki": (
        "unknown backend 'loki' (did you mean 'loky'?); choose from 'dask', 'loky', "
        "'multiprocessing', 'ray', 'sequential', 'spark', 'threading'"
    ),
    f"{SWEEP} --backend dask": (
        "the backend 'dask' needs a scheduler; give its address, such as tcp://host:8786"
    ),
    SWEEP.replace("-o new", "-o probe"): (
        "probe: the folder exists and is not a structprobe results folder; choose a new or empty "
        "folder"
    ),
    "sweep --model model --treebank UD_Toy-One UD_Nope -o new": (
        "UD_Nope: no such folder; give the folder of a treebank, or a name such as UD_English-EWT "
        "that `structprobe treebank` has fetched"
    ),
    f"{COMPARE} PROBE": (f"unknown method 'PROBE' (did you mean 'probe'?); choose from {METHODS}"),
    f"{COMPARE} 'probe linear'": (
        f"unknown method 'probe linear' (did you mean 'probe-signed'?); choose from {METHODS}; "
        "separate methods by commas; use the form attention-max[layer=3,head=9]"
    ),
    f"{COMPARE} 'all[lmit=3]'": (
        "all: unknown option 'lmit' (did you mean 'limit'?); choose from 'absolute', "
        "'coordinates', 'decoder', 'direction', 'gold_root', 'head', 'k', 'kernel', 'l1', "
        "'layer', 'limit', 'max_steps', 'measure', 'n_landmarks', 'near', 'projective', "
        "'rank', 'reads', 'root', 'special', 'subtypes', 'symmetrised', 'unmasked', 'weight'"
    ),
    f"{COMPARE} 'probe[rank=8,rank=4]'": (
        "'rank' is given twice in 'probe[rank=8,rank=4]'; give it once"
    ),
    f"{COMPARE} 'probe[rank=x]'": ("probe: rank='x' is not valid; use an integer"),
    f"{COMPARE} 'probe[rank'": (
        "unbalanced brackets in 'probe[rank'; use the form attention-max[layer=3,head=9]"
    ),
    f"{COMPARE} mine.py:Star": (
        "the module of 'mine.py:Star' cannot be imported: ModuleNotFoundError: No module named "
        "'mine'; give the name of a module that Python finds, without .py"
    ),
    f"{COMPARE} os:path": (
        "'os:path' is not a method; give a subclass of Recoverer with a name (or variants) and a "
        "predict method"
    ),
    "localise --model model --treebank UD_Toy-One --layers 1": (
        "only one layer was given: 1; give at least two layers"
    ),
    "localise --model model --treebank UD_Toy-One --rank 99": (
        "rank 99 is out of range; choose from 1 to 8 (hidden size)"
    ),
    "axes --model model --treebank UD_Toy-One --layers 9": (
        "layer 9 is out of range; the model has layers 0 to 2 (0 = embedding output); use 'all', "
        "or a list such as '0,1-2'"
    ),
    "order --model model --items 5": "5 items per condition; ask for at least 10",
    "order --model model --layers 9": (
        "layer 9 is out of range; the model has layers 0 to 2 (0 = embedding output); use 'all', "
        "or a list such as '0,1-2'"
    ),
    "behave --model nowhere paris.tsv": "paris.tsv: no such file; did you mean 'pairs.tsv'?",
    "behave --model nowhere one.tsv": (
        "one.tsv:1: 1 column instead of two; separate the good sentence from the bad one by a tab "
        "(commas in .csv files)"
    ),
    "behave --model nowhere gym.json": (
        "gym.json: prediction 1: the formula names the condition 'c', which no item has; "
        "conditions: a"
    ),
    "behave --model nowhere train.conllu": (
        "train.conllu: a file that ends in '.conllu' is no suite; give BLiMP's lines of JSON "
        "(.jsonl), a suite of SyntaxGym (.json), or two columns, the good sentence first (.tsv, "
        ".csv)"
    ),
    "behave --model nowhere thesis": (
        "thesis: the folder holds no suites (files that end in .jsonl, .json, .tsv, .csv); give "
        "BLiMP's lines of JSON (.jsonl), a suite of SyntaxGym (.json), or two columns, the good "
        "sentence first (.tsv, .csv)"
    ),
    "behave --model nowhere own:relatives": (
        "unknown condition of minimal pairs 'relatives'; choose from 'agreement', 'attractors', "
        "'distance', 'nesting', 'all'"
    ),
    "behave --model model pairs.tsv": (
        "'model' has no head for masked language modelling (the checkpoint lacks "
        "'cls.predictions.bias'), which scoring texts needs; load a checkpoint that was saved with "
        "its head"
    ),
    "behave --model nowhere pairs.tsv --surprisals text.txt": (
        "text.txt: already exists; choose another file name"
    ),
    "behave --model nowhere pairs.tsv -o thesis": (
        "thesis: the folder exists and is not a structprobe results folder; choose a new or empty "
        "folder"
    ),
    "intervene --model model --treebank UD_Toy-One --layer 9 --rank 2": (
        "layer 9 is out of range; the model has layers 0 to 2 (0 = embedding output)"
    ),
    "intervene --model model --treebank UD_Toy-One --layer 1 --rank 8": (
        "rank 8 of vectors that are 8 wide; choose a rank from 1 to 7"
    ),
    "intervene --model model --treebank UD_Toy-One --layer 1 --rank 2 --random 2": (
        "2 random subspaces are too few to judge an effect by; ask for at least 5"
    ),
    "heads --model model --treebank UD_Toy-One -o thesis": (
        "thesis: the folder exists and is not a structprobe results folder; choose a new or empty "
        "folder"
    ),
    "plot nowhere -o new": (
        "nowhere: no such folder; name a folder that sweep, compare or heads wrote"
    ),
    "incremental probe dev.conllu -o results": (
        "results: is a results folder; choose another folder for the figures, such as "
        "results/figures"
    ),
    "plot results -o results": (
        "results: is a results folder; choose another folder for the figures, such as "
        "results/figures"
    ),
    "plot results -o new.pdf": (
        "new.pdf: is the name of a file, not of a folder; figures go into a folder; choose their "
        "format with --format"
    ),
    "plot results -o new --sentence nobody": (
        "no sentence has the sent_id 'nobody'; the first is 'tiny-0'"
    ),
    "report nowhere -o new.html": (
        "nowhere: no such folder; name a folder that `structprobe sweep`, `compare` or `fit` wrote"
    ),
    "report results -o new.pdf": (
        "new.pdf: a report is an HTML page, not .pdf; choose a name that ends in .html"
    ),
    "report model -o new.html": (
        "model/config.json: not the config of a structural probe; name a folder that `structprobe "
        "fit` wrote"
    ),
    "report results -o thesis": "thesis: is a folder; give a file name",
    "serve nowhere": (
        "nowhere: no such folder; pass a folder, or a hub id of the form 'owner/name'"
    ),
    "serve probe --layers 0": (
        "probe: layers 0 were given, but this is not a results folder; leave out --layers"
    ),
    "serve bare": (
        "bare: this results folder holds no saved probes; sweep into a new folder with "
        "--save-probes, or name a folder that `fit` wrote"
    ),
    "treebank EWT": "unknown treebank 'EWT'; did you mean UD_English-EWT or UD_Estonian-EWT?",
    "treebank sample": (
        "'sample' is not a treebank name; see universaldependencies.org for the names, such as "
        "UD_English-EWT"
    ),
    "treebank UD_English-EWT -o thesis": (
        "thesis: already exists; choose another folder, or use --force to replace it"
    ),
    "treebank UD_Toy-One": (
        "UD_Toy-One: already exists; choose another folder, or use --force to replace it"
    ),
    "demo -o thesis": (
        "thesis: the folder exists and is not a structprobe results folder; choose a new or empty "
        "folder"
    ),
}


@pytest.mark.parametrize("command", USAGE)
def test_a_mistake_on_the_command_line(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(shlex.split(command)[1:])
    assert stop.value.code == 2
    printed = capsys.readouterr()
    program, _, told = printed.err.partition(": error: ")
    assert told == f"{USAGE[command]} (see '{program} --help')\n"
    assert command.startswith(program.replace("structprobe fti", "structprobe"))
    assert printed.out == ""


def complain(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that ends with status 1, prints one line and writes nothing."""
    before = sorted(Path().rglob("*"))
    capsys.readouterr()
    assert main([*shlex.split(command), "-q"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert sorted(Path().rglob("*")) == before
    (line,) = printed.err.splitlines()
    # What is stored with probes and results has the whole path.
    return line.removeprefix("structprobe: error: ").replace(f"{Path.cwd()}/", "")


@pytest.mark.parametrize("command", DATA)
@pytest.mark.usefixtures("world")
def test_a_mistake_in_what_is_named(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    assert complain(command, capsys) == DATA[command]


@pytest.mark.usefixtures("world")
def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = complain(f"serve probe --port {port}", capsys)
    hint = "choose another with --port (0: any free one)"
    assert told == f"127.0.0.1:{port}: the port is in use; {hint}"


@pytest.mark.usefixtures("world")
def test_a_host_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    told = complain("serve probe --host 999.1.1.1", capsys)
    assert told.startswith("999.1.1.1:8000: cannot listen on this address: ")
    assert told.endswith("; use 127.0.0.1 for this computer alone, or one of its own addresses")


@pytest.mark.usefixtures("world")
def test_a_probe_of_another_model(capsys: pytest.CaptureFixture[str]) -> None:
    told = complain("evaluate probe dev.conllu --model other", capsys)
    assert told.startswith("probe: the probe was fitted on model (fingerprint ")
    assert "), but this is other (fingerprint " in told
    assert told.endswith("; give the model it was fitted on with --model")
