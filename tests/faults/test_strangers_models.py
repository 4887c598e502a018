"""Strangers: folders of models and adapters that would run code; names that would be imported."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from support.strangers import Payload, copy_of, pickled, refuse, replaced, some, told
from support.tiny_checkpoints import save_checkpoint

from structprobe import Encoder, ProbeRecoverer, StructuralProbe
from structprobe.models.loading import load_model
from structprobe.results.folder import ResultsFolder, read_rows
from structprobe.results.rows import make_row
from structprobe.show.report import build_report

pytestmark = [pytest.mark.fault_class("strangers"), pytest.mark.timeout(300)]

PROBE = Path(__file__).parents[1] / "data" / "probe-format-1"
CODE = """\
from pathlib import Path
Path({mark!r}).touch()
from transformers import BertConfig, BertModel, BertTokenizerFast
class Mine(BertConfig):
    model_type = "mine"
class Model(BertModel):
    config_class = Mine
class Words(BertTokenizerFast):
    pass
"""


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(save_checkpoint(tmp_path_factory.mktemp("model"), "bert"))


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


AUTO = {"AutoConfig": "mine.Mine", "AutoModel": "mine.Model", "AutoTokenizer": ["mine.Words", None]}
AUTO["AutoTokenizer"] = ["mine.Words", "mine.Words"]
# What a folder says, by file, and what is taken instead of being refused.
SAYS: dict[str, tuple[str, dict[str, object]]] = {
    "classes in the configuration": ("config.json", {"auto_map": AUTO, "model_type": "mine"}),
    "classes beside a known kind": ("config.json", {"auto_map": AUTO}),
    "classes in another repository": (
        "config.json",
        {"auto_map": {k: f"evil/code--{v}" for k, v in AUTO.items()}, "model_type": "mine"},
    ),
    "classes of words": (
        "tokenizer_config.json",
        {"auto_map": {"AutoTokenizer": ["mine.Words", "mine.Words"]}, "tokenizer_class": "Words"},
    ),
    "words of a module": ("tokenizer_config.json", {"tokenizer_class": "mine.Words"}),
    "words of the system": ("tokenizer_config.json", {"tokenizer_class": "os.system"}),
    "an attention of the hub": ("config.json", {"attn_implementation": "evil/kernel"}),
    "an attention of a part": (
        "config.json",
        {"text_config": {"attn_implementation": "evil/kernel@main:run"}},
    ),
    "an architecture of a module": ("config.json", {"architectures": ["mine.Model"]}),
    "a pipeline": ("config.json", {"custom_pipelines": {"x": {"impl": "mine.Model"}}}),
    "a quantisation": ("config.json", {"quantization_config": {"quant_method": "mine"}}),
    "a dtype": ("config.json", {"dtype": "mine.Model"}),
    "a kind that is a path": ("config.json", {"model_type": "../mine"}),
}


def test_nothing_that_a_model_folder_says_runs_code(bert, tmp_path, monkeypatch, tally, whole):
    """Refused, or read as if it were not said; code that lies beside it is not imported."""
    mark = tmp_path / "ran"
    kernels = types.ModuleType("kernels")
    kernels.get_kernel = lambda *_, **__: mark.touch()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "kernels", kernels)

    def check(name: str) -> None:
        folder = copy_of(bert, tmp_path / "model")
        for place in (folder, tmp_path / "here"):
            place.mkdir(exist_ok=True)
            (place / "mine.py").write_text(CODE.format(mark=str(mark)))
        monkeypatch.chdir(tmp_path / "here")
        file, values = SAYS[name]
        change(folder / file, **values)
        refused = told(load_model, folder)
        if "auto_map" in values and values.get("model_type") == "mine":
            how = "needs custom code; read the code, then pass trust_remote_code=True"
            assert how in refuse(load_model, folder)
        if "attention" in name:
            assert "needs custom code, that of 'evil/kernel" in refuse(load_model, folder)
        assert refused or name != "a kind that is a path"
        assert not mark.exists()
        assert "mine" not in sys.modules

    first = ["classes in the configuration", "an attention of the hub", "classes of words"]
    tally.each(check, [(name,) for name in (SAYS if whole else first)])


WEIGHTS: dict[str, Callable[[Path, bytes], object]] = {
    "as torch saves them": lambda folder, code: (folder / "pytorch_model.bin").write_bytes(code),
    "in parts": lambda folder, code: (
        (folder / "pytorch_model-1.bin").write_bytes(code),
        (folder / "pytorch_model.bin.index.json").write_text(
            json.dumps({"metadata": {}, "weight_map": {"x": "pytorch_model-1.bin"}})
        ),
    ),
    "under a good name": lambda folder, code: (folder / "model.safetensors").write_bytes(code),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_no_weights_run_code(name, bert, tmp_path, tally):
    mark = tmp_path / "ran"
    torch.save({"x": Payload(mark)}, tmp_path / "zip")
    torch.save({"x": Payload(mark)}, tmp_path / "old", _use_new_zipfile_serialization=False)

    def check(code: bytes) -> None:
        folder = copy_of(bert, tmp_path / "model")
        (folder / "model.safetensors").unlink()
        WEIGHTS[name](folder, code)
        refuse(load_model, folder)
        assert not mark.exists()

    codes = ((tmp_path / "zip").read_bytes(), (tmp_path / "old").read_bytes(), pickled(tmp_path))
    tally.each(check, [(code,) for code in codes])
    assert not (tmp_path / "ran").exists()


def test_no_adapter_runs_code(bert, tmp_path, monkeypatch):
    peft = pytest.importorskip("peft")
    base = load_model(bert).model
    peft.get_peft_model(base, peft.LoraConfig(target_modules=["query"])).save_pretrained(
        tmp_path / "good"
    )
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(CODE.format(mark=str(tmp_path / "ran")))
    monkeypatch.syspath_prepend(str(tmp_path))
    for values in (
        {"auto_mapping": {"base_model_class": "Model", "parent_library": "mine"}},
        {"megatron_config": {"x": 1}, "megatron_core": "mine"},
        {"peft_type": "mine.Model"},
        {},
    ):
        folder = copy_of(tmp_path / "good", tmp_path / "adapter")
        change(folder / "adapter_config.json", base_model_name_or_path=str(bert), **values)
        if not values:
            (folder / "adapter_model.safetensors").unlink()
            torch.save({"x": Payload(tmp_path / "ran")}, folder / "adapter_model.bin")
            refuse(load_model, folder)
        else:
            told(load_model, folder)
        assert not (tmp_path / "ran").exists()
        assert "mine" not in sys.modules


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "tokenizer.json"])
def test_model_files_that_are_none(file, bert, tmp_path, tally, whole):
    """They end, with one of our errors: no pipe is waited for and no device is read."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")

    def check(kind: str) -> None:
        folder = copy_of(bert, tmp_path / "model")
        (folder / "tokenizer_config.json").unlink()
        replaced(folder / file, kind, outside)
        refuse(load_model, folder)
        assert not (outside / "new").exists()

    kinds = ("pipe", "device", "folder", "itself", "new", "secret")
    tally.each(check, some([(kind,) for kind in kinds], whole, 2))


def test_probes_name_models_but_allow_no_code(bert, tmp_path, tally, monkeypatch):
    """A saved probe says which model it is of: a name, which is loaded as any other, or refused."""
    mark = tmp_path / "ran"
    model = copy_of(bert, tmp_path / "evil")
    (model / "mine.py").write_text(CODE.format(mark=str(mark)))
    change(model / "config.json", auto_map=AUTO, model_type="mine")
    origin = json.loads((PROBE / "config.json").read_text())["origin"]

    def check(values: dict[str, object]) -> None:
        folder = copy_of(PROBE, tmp_path / "probe")
        change(
            folder / "config.json", origin=origin | values, trust_remote_code=True, auto_map=AUTO
        )
        refuse(ProbeRecoverer.from_pretrained, folder)
        assert not mark.exists()

    tally.each(
        check,
        [({"model": str(model)},), ({"model": str(model), "trust_remote_code": True},)]
        + [
            ({"model": one},)
            for one in (None, 5, True, "", "\0", "../evil", "/", ".", "a/b/c", "~")
        ]
        + [({"layer": one},) for one in ("x", None, 1.5, -1, 10**30, True)]
        + [
            ({key: 5},)
            for key in ("fingerprint", "revision", "pooling", "spacing", "dtype", "lang")
        ]
        + [({"revision": "../../x"},), ({"gguf_file": "/etc/passwd"},)],
    )
    folder = copy_of(PROBE, tmp_path / "probe")
    change(folder / "config.json", auto_map=AUTO, trust_remote_code=True)
    tally.one(StructuralProbe.from_pretrained, folder)


def test_methods_of_rows_are_not_imported(tmp_path, monkeypatch):
    """A row may name a class as its method; only those that a user names are imported."""
    mark = tmp_path / "ran"
    (tmp_path / "mine.py").write_text(CODE.format(mark=str(mark)))
    monkeypatch.syspath_prepend(str(tmp_path))
    folder = ResultsFolder(tmp_path / "DIR")
    folder.add(make_row(key="a", method="mine:Model", uuas=0.5, part="test"))
    read_rows(folder.folder)
    build_report(folder.folder)
    assert not mark.exists()


def test_nothing_of_the_folder_that_one_stands_in_is_imported(tmp_path):
    """In a folder of somebody else's, with modules that have the names of those that we import."""
    for name in (
        "torch",
        "numpy",
        "transformers",
        "json",
        "structprobe",
        "sitecustomize",
        "conllu",
    ):
        (tmp_path / f"{name}.py").write_text(f"open('ran-{name}', 'w').close()")
    script = Path(sys.executable).with_name("structprobe")
    if not script.exists():
        pytest.skip("structprobe is not installed as a script")
    done = subprocess.run(
        [sys.executable, "-P", str(script), "score", "x", "y"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "x: no such file" in done.stderr
    assert not list(tmp_path.glob("ran-*"))


def test_the_payload_would_leave_its_mark(tmp_path):
    """What is tried above does run code where code is allowed."""
    pickle.loads(pickled(tmp_path))
    assert (tmp_path / "ran").exists()


def test_encoders_take_no_pickles_of_strangers(bert, tmp_path):
    """A file in the place of a model is refused by its kind."""
    (tmp_path / "model.pkl").write_bytes(pickled(tmp_path))
    refuse(Encoder, tmp_path / "model.pkl")
    refuse(StructuralProbe.from_pretrained, tmp_path / "model.pkl")
    assert not (tmp_path / "ran").exists()
