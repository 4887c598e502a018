"""Models that are told the language of a text: which code is used, and that it counts."""

from __future__ import annotations

import copy
import logging
import pickle
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from support.models import SlowMarks, tiny_model, wordpiece
from support.since import since_five
from support.tiny_trees import tiny_bank
from transformers import (
    M2M100Config,
    M2M100ForConditionalGeneration,
    MBartTokenizer,
    NllbTokenizer,
    XmodConfig,
    XmodModel,
)

from structprobe import Encoder, ProbeRecoverer, StructuralProbe
from structprobe.cli.main import main
from structprobe.errors import EncoderError
from structprobe.models.fingerprints import fingerprint_tokenizer

SENTENCES = [["a", "b", "ab"], ["b"]]
SIZES: Any = {"d_model": 16, "encoder_layers": 2, "decoder_layers": 1, "encoder_attention_heads": 2,
         "decoder_attention_heads": 2, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16}  # fmt: skip


def nllb() -> Any:
    """NLLB's tokenizer over three letters, with all its language codes."""
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", "a", "b", "c"]
    return NllbTokenizer(vocab={piece: at for at, piece in enumerate(pieces)}, merges=[])


def save_translator(folder: Path) -> str:
    tokenizer = nllb()
    torch.manual_seed(0)
    config = M2M100Config(vocab_size=len(tokenizer), max_position_embeddings=40, **SIZES)
    M2M100ForConditionalGeneration(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def translator(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_translator(tmp_path_factory.mktemp("nllb"))


def test_a_language_is_read_with_the_text_and_counts(translator: str, tmp_path: Path) -> None:
    default, german = Encoder(translator), Encoder(translator, lang="deu_Latn")
    code = german.loaded.tokenizer.convert_tokens_to_ids("deu_Latn")
    assert code in german.surroundings.before + german.surroundings.after
    assert code not in default.surroundings.before + default.surroundings.after
    assert german.fingerprint != default.fingerprint
    assert "lang" not in default.origin(0)
    assert german.origin(0)["lang"] == "deu_Latn"
    assert "lang='deu_Latn'" in repr(german)
    one, other = (e.encode(SENTENCES, cache=tmp_path).layer(2).values for e in (default, german))
    assert not np.allclose(one, other)
    assert german.untrained(0).fingerprint != default.untrained(0).fingerprint
    assert pickle.loads(pickle.dumps(german)).fingerprint == german.fingerprint


def test_the_language_that_is_used_is_told(
    translator: str, caplog: pytest.LogCaptureFixture
) -> None:
    Encoder(translator, lang="fra_Latn")
    assert not caplog.records
    Encoder(translator)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "'eng_Latn'" in record.getMessage()
    assert "lang=" in record.getMessage()


@pytest.mark.parametrize(
    ("lang", "near"), [("de", "deu_Latn"), ("fra", "fra_Latn"), ("deu_latn", "deu_Latn")]
)
def test_an_unknown_code_names_near_ones(translator: str, lang: str, near: str) -> None:
    with pytest.raises(EncoderError, match=f"unknown language code '{lang}'.*{near}") as caught:
        Encoder(translator, lang=lang)
    assert len(str(caught.value)) < 300


def test_a_code_that_nothing_reads_is_refused() -> None:
    with pytest.raises(EncoderError, match="lang='de', but neither the model nor its tokenizer"):
        Encoder(tiny_model("bert", wordpiece()), tokenizer=wordpiece(), lang="de")


def test_a_tokenizer_that_is_given_is_left_as_it_is(translator: str) -> None:
    tokenizer = nllb()
    encoder = Encoder(translator, tokenizer=tokenizer, lang="deu_Latn")
    assert tokenizer.src_lang == "eng_Latn"
    assert encoder.loaded.tokenizer.src_lang == "deu_Latn"
    tokenizer.src_lang = "deu_Latn"
    assert Encoder(translator, tokenizer=tokenizer).surroundings == encoder.surroundings


@since_five("older versions make it from a file")
def test_codes_of_mbart() -> None:
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", "a", "b"]
    tokenizer = MBartTokenizer(vocab=[(piece, -1.0) for piece in pieces])
    model = tiny_model("bert", tokenizer)
    encoder = Encoder(model, tokenizer=tokenizer, lang="de_DE", max_unknown=1)
    assert encoder.surroundings.after[-1] == tokenizer.convert_tokens_to_ids("de_DE")
    with pytest.raises(EncoderError, match="near ones: de_DE"):
        Encoder(model, tokenizer=tokenizer, lang="de")


class SlowSpeaker(SlowMarks):
    """A slow tokenizer that marks the language, as that of M2M100."""

    lang_code_to_id: ClassVar = {"en": 3, "de": 4}
    _src_lang = "en"

    @property
    def src_lang(self) -> str:
        return self._src_lang

    @src_lang.setter
    def src_lang(self, code: str) -> None:
        self._src_lang = code

    def build_inputs_with_special_tokens(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        return [self.lang_code_to_id[self._src_lang], *token_ids_0]


@pytest.mark.fault_class("stale")
def test_the_language_of_a_slow_tokenizer_is_in_the_fingerprint() -> None:
    tokenizer = SlowSpeaker()
    model = tiny_model("bert", tokenizer)
    prints = {Encoder(model, tokenizer=tokenizer).fingerprint}
    german = Encoder(model, tokenizer=tokenizer, lang="de")
    assert german.surroundings.before == (4,)
    prints.add(german.fingerprint)
    tokenizer.src_lang = "de"
    prints.add(Encoder(model, tokenizer=tokenizer).fingerprint)
    assert len(prints) == 2
    assert fingerprint_tokenizer(tokenizer) == fingerprint_tokenizer(SlowSpeaker())  # as ever


def xmod(**options: Any) -> XmodModel:
    sizes: Any = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
             "intermediate_size": 16, "vocab_size": 200, "pad_token_id": 0}  # fmt: skip
    torch.manual_seed(0)
    return XmodModel(XmodConfig(languages=["en_XX", "de_DE"], **sizes, **options)).eval()


def test_a_model_with_parts_for_each_language(tmp_path: Path) -> None:
    xmod().save_pretrained(tmp_path)
    wordpiece().save_pretrained(tmp_path)
    with pytest.raises(EncoderError, match="no default; pass lang=, one of en_XX, de_DE"):
        Encoder(tmp_path)
    english, german = (Encoder(tmp_path, lang=lang) for lang in ("en_XX", "de_DE"))
    assert english.fingerprint != german.fingerprint
    sentences = [["the", "dog"]]
    one, other = (e.encode(sentences).layer(2).values for e in (english, german))
    assert not np.allclose(one, other)


def test_a_model_object_is_not_set_to_another_language() -> None:
    model = xmod(default_language="en_XX")
    with pytest.raises(EncoderError, match="set_default_language"):
        Encoder(model, tokenizer=wordpiece(), lang="de_DE")
    assert model.config.default_language == "en_XX"
    assert Encoder(model, tokenizer=wordpiece()).encode([["the"]]).layer(0)[0].shape == (1, 16)


def test_a_saved_probe_is_read_in_its_language(translator: str, tmp_path: Path) -> None:
    bank = tiny_bank()
    encoder = Encoder(translator, lang="deu_Latn", max_unknown=1)
    recoverer = ProbeRecoverer(encoder, 1, StructuralProbe(rank=4, max_steps=2))
    recoverer.fit(bank, bank)
    recoverer.save_pretrained(tmp_path)
    again = ProbeRecoverer.from_pretrained(tmp_path, max_unknown=1)
    assert again.encoder.lang == "deu_Latn"
    assert copy.copy(again.encoder).origin(1) == encoder.origin(1)


def test_the_command_line_takes_a_language(
    translator: str, tmp_path: Path, sample: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dev = str(sample / "dev.conllu")
    given = [
        "fit",
        "--model",
        translator,
        "--train",
        dev,
        "--layer",
        "1",
        "-o",
        str(tmp_path / "o"),
    ]
    assert main([*given, "--lang", "de"]) == 1
    (line,) = [one for one in capsys.readouterr().err.splitlines() if "error" in one]
    assert "unknown language code 'de'" in line
    assert "deu_Latn" in line
    assert main([*given, "--lang", "deu_Latn"]) == 1  # it knows three letters
    (line,) = [one for one in capsys.readouterr().err.splitlines() if "error" in one]
    assert "are unknown to the tokenizer" in line
    assert "--max-unknown 1" in line
    assert main([*given, "--lang", "deu_Latn", "--max-unknown", "1", "--max-steps", "1", "-q"]) == 0
    assert main(["evaluate", str(tmp_path / "o"), dev, "--max-unknown", "1", "--json"]) == 0
    assert '"lang": "deu_Latn"' in capsys.readouterr().out


@pytest.mark.parametrize("share", ["1.5", "-1", "many", "nan"])
def test_a_share_on_the_command_line(share: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["fit", "--max-unknown", share])
    assert f"'{share}' is not a share from 0 to 1" in capsys.readouterr().err
