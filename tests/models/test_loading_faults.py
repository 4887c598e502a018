"""Loading what is not there, not whole or not readable: one clear line each."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from support.elsewhere import in_subprocess
from support.tiny_checkpoints import (
    make_model,
    make_tokenizer,
    read_weights,
    save_checkpoint,
    save_gguf,
    write_weights,
)

from structprobe.errors import EncoderError
from structprobe.models import places
from structprobe.models.loading import find_dtype, load_model


@pytest.fixture
def bert(tmp_path):
    return save_checkpoint(tmp_path / "bert", "bert")


@pytest.mark.parametrize(
    ("model", "tokenizer", "message"),
    [
        (make_model("bert"), None, "needs its loaded tokenizer; .*tokenizer=AutoTokenizer"),
        (make_model("bert"), "bert-base-cased", "needs its loaded tokenizer"),
        (torch.nn.Linear(2, 2), make_tokenizer(), "^Linear is not a transformers model"),
        (make_model("bert"), "a b".split, "builtin_function_or_method is not a transformers tok"),
    ],
)
def test_objects_that_will_not_do(model, tokenizer, message):
    with pytest.raises(EncoderError, match=message):
        load_model(model, tokenizer=tokenizer)


def test_missing_weights_are_refused_but_for_the_pooler(bert):
    weights = {name: w for name, w in read_weights(bert).items() if "pooler" not in name}
    write_weights(bert, weights)
    load_model(bert)
    for layer in (0, 1):
        del weights[f"encoder.layer.{layer}.output.dense.bias"]
    write_weights(bert, weights)
    message = r"lacks 2 weights of BertModel, such as 'encoder\.layer\.0\.output\.dense\.bias'"
    with pytest.raises(EncoderError, match=message):
        load_model(bert)


def test_a_decoder_that_is_missing_does_not_matter(tmp_path):
    folder = save_checkpoint(tmp_path, "t5")
    weights = {
        name: w for name, w in read_weights(folder).items() if not name.startswith("decoder")
    }
    write_weights(folder, weights)
    assert load_model(folder).n_layers == 2
    del weights["encoder.final_layer_norm.weight"]
    write_weights(folder, weights)
    with pytest.raises(EncoderError, match=r"lacks 1 weights.*encoder\.final_layer_norm"):
        load_model(folder)


def test_weights_of_another_shape(bert):
    config = Path(bert, "config.json")
    settings = json.loads(config.read_text())
    config.write_text(json.dumps(settings | {"intermediate_size": 10}))
    with pytest.raises(EncoderError, match="cannot load model") as error:
        load_model(bert)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("remove", "message"),
    [
        (
            "model.safetensors",
            r"no weights in .*bert; expected model\.safetensors or pytorch_model\.bin",
        ),
        ("config.json", r"not a model folder: no config\.json in .*bert"),
        ("tokenizer*", r"tokenizer"),
    ],
)
def test_a_folder_that_lacks_something(bert, remove, message):
    for path in Path(bert).glob(remove):
        path.unlink()
    with pytest.raises(EncoderError, match=message) as error:
        load_model(bert)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", ["Bert", "T5", "GPT2", "Albert", "XLMRoberta", "Llama"])
def test_a_tokenizer_made_of_nothing(bert, kind):
    for path in Path(bert).glob("tokenizer*"):
        path.unlink()
    Path(bert, "tokenizer_config.json").write_text(f'{{"tokenizer_class": "{kind}Tokenizer"}}')
    with pytest.raises(EncoderError, match=r"has no vocabulary|cannot load a tokenizer"):
        load_model(bert)


@pytest.mark.parametrize("kind", ["bert", "gpt2", "llama", "t5"])
def test_a_model_without_a_tokenizer_is_told_in_one_line_for_shell_and_python(tmp_path, kind):
    make_model(kind).save_pretrained(tmp_path)
    with pytest.raises(EncoderError) as error:
        load_model(tmp_path)
    assert re.fullmatch(
        f"(no tokenizer in {tmp_path}|the tokenizer of '{tmp_path}' has no vocabulary); "
        r"put its files \(tokenizer.json, vocab.txt, ...\) into the model folder with "
        r"tokenizer.save_pretrained; in Python, you can also pass tokenizer=",
        str(error.value),
    )


def test_damaged_files(bert):
    path = Path(bert, "model.safetensors")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(EncoderError, match="cannot load model"):
        load_model(bert)
    Path(bert, "config.json").write_text("{")
    with pytest.raises(EncoderError, match="cannot load"):
        load_model(bert)


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere/at/all", "~/nowhere", "a/b/c", ""])
def test_no_such_folder(name):
    with pytest.raises(EncoderError, match=r"no model folder .*pass a hub id, a folder"):
        load_model(name)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EncoderError, match="no model folder"):
        load_model(tmp_path / "file")


def test_a_hub_id_that_is_not_there_offline():
    with pytest.raises(EncoderError) as error:
        load_model("no-such-group/no-such-model")
    assert str(error.value) == (
        "model 'no-such-group/no-such-model': not a local folder, not fully downloaded to the "
        "Hugging Face cache, and the hub cannot be reached; check the name, or download it while "
        "online: hf download no-such-group/no-such-model"
    )


def test_a_name_that_is_no_hub_id():
    with pytest.raises(
        EncoderError, match="'a b c' is neither a folder nor a hub id; a hub id has only"
    ):
        load_model("a b c")


@pytest.mark.slow
@pytest.mark.parametrize("package", ["gguf", "accelerate"])
def test_a_missing_package_is_named(tmp_path, package):
    file = save_gguf(tmp_path / "model.gguf")
    script = (
        "import sys, importlib.util as u, importlib.metadata as m\n"
        "find, version = u.find_spec, m.version\n"
        f"u.find_spec = lambda n, *a: None if n == {package!r} else find(n, *a)\n"
        f"sys.modules[{package!r}] = None\n"
        "from structprobe.models.loading import load_model\n"
        "from structprobe.errors import EncoderError\n"
        "try:\n"
        f"    load_model({file!r})\n"
        "except EncoderError as error:\n"
        "    print(error)\n"
    )
    out, _ = in_subprocess(script)
    assert out.endswith(f"the package {package} is not installed; pip install {package}")
    assert "\n" not in out


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("vit", "cannot read plain text"),
        ("funnel", r"layer 2 has shape \(1, 2, 8\) for 4 tokens; expected one vector"),
    ],
)
def test_models_that_cannot_be_read(kind, message):
    with pytest.raises(EncoderError, match=message):
        load_model(make_model(kind), tokenizer=make_tokenizer())


def test_a_model_without_hidden_states(monkeypatch):
    model = make_model("bert")
    forward = type(model).forward

    def silent(self, *args, **kwargs):
        output = forward(self, *args, **kwargs)
        output.hidden_states = None
        return output

    monkeypatch.setattr(type(model), "forward", silent)
    with pytest.raises(EncoderError, match="returns no hidden states, so there are no layers"):
        load_model(model, tokenizer=make_tokenizer())


@pytest.mark.parametrize("name", ["cuda:99", "mps", "meta"])
def test_devices_that_are_not_there(bert, name):
    with pytest.raises(EncoderError, match=rf"device '{name}' is not available"):
        load_model(bert, device=name)


@pytest.mark.parametrize("name", ["float64", "Auto", "bf16", None])
def test_unknown_types(name):
    with pytest.raises(EncoderError, match=r"unknown dtype .*choose from 'float32', 'bfloat16'"):
        find_dtype(name)


def test_what_is_missing_is_told_in_one_line(monkeypatch):
    explain = places.explain
    needs = "you need protobuf or tiktoken installed"
    for package in ("protobuf", "tiktoken"):
        monkeypatch.setattr(places, "installed", lambda name, missing=package: name != missing)
        message = f"cannot x: the package {package} is not installed; pip install {package}"
        assert str(explain("cannot x", ".", ValueError(needs))) == message
    monkeypatch.setattr(places, "installed", lambda name: True)
    assert str(explain("cannot x", ".", ValueError(needs))) == f"cannot x: {needs}"
    assert str(explain("cannot x", ".", RuntimeError("a\n\n b" + "!" * 400))).count("\n") == 0
    assert str(explain("cannot x", ".", RuntimeError())) == "cannot x: RuntimeError"


def test_packages_are_found():
    assert places.installed("torch")
    assert not places.installed("no_such_package")
    assert not places.installed("no_such_package.part")
