"""CPMI: hand-made information with known trees, and agreement that a model was trained on."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.masked_model import SUBJECT, VERB, trained, trained_bank, trained_encoder
from support.models import gpt2_bpe, tiny_model, wordpiece
from support.tree_cases import all_trees

from structprobe.encoder import Encoder
from structprobe.errors import EncoderError
from structprobe.experiments.compare import compare
from structprobe.masking.impacts import MaskedImpacts
from structprobe.recoverers.base import MethodContext, Recoverer
from structprobe.recoverers.cpmi import CPMI
from structprobe.recoverers.linear import LinearChain
from structprobe.recoverers.perturbed import Perturbed
from structprobe.scores import score
from structprobe.treebank import Sentence, Treebank

SOME = trained_bank()[:30]


def made(name: str, encoder: Encoder | None = None) -> CPMI:
    context = MethodContext(encoder or trained_encoder(), progress=False)
    return CPMI.for_model(context, **CPMI.variants[name])


def plant(monkeypatch: pytest.MonkeyPatch, information: Any) -> None:
    """Let the model have this information."""
    matrices = [np.array(information, dtype=np.float32)]
    monkeypatch.setattr(MaskedImpacts, "recall", lambda *_: matrices)


def edges(heads: Any) -> set[frozenset[int]]:
    return {frozenset((word, head)) for word, head in enumerate(heads, 1) if head}


def crosses(heads: Any) -> bool:
    arcs = [sorted(edge) for edge in edges(heads)]
    return any(a < c < b < d for a, b in arcs for c, d in arcs)


@pytest.mark.parametrize("name", CPMI.variants)
def test_variants_find_the_best_of_all_trees(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    recoverer, generator = made(name), np.random.default_rng(0)
    assert recoverer.name == name
    n_crossing = 0
    for _ in range(15):
        information = generator.normal(size=(5, 5))
        np.fill_diagonal(information, 0)
        plant(monkeypatch, information)
        (found,) = recoverer.predict([Sentence(tuple("abcde"))])
        if "absolute" in name:
            information = np.abs(information)
        trees = [one for one in all_trees(5).tolist() if "proj" not in name or not crosses(one)]
        sums = [
            sum(information[i, h - 1] + information[h - 1, i] for i, h in enumerate(tree) if h)
            for tree in trees
        ]
        assert edges(found.heads) == edges(trees[int(np.argmax(sums))])
        # Directed from the word that tells most about the others, also where an edge covers it.
        assert found.heads.argmin() == information.sum(axis=0).argmax()
        n_crossing += crosses(found.heads)
    assert (n_crossing > 0) == ("projective" not in name)


def agrees(method: Recoverer) -> float:
    """The share of sentences in which the edge of subject and verb is found."""
    edge = frozenset((SUBJECT + 1, VERB + 1))
    return float(np.mean([edge in edges(one.heads) for one in method.predict(SOME)]))


def neighbours_in_vectors() -> Encoder:
    """The trained model; its vectors tell which neighbours are masked, which its head ignores."""
    model, tokenizer = trained()
    model = copy.deepcopy(model)
    model.told = torch.zeros(1)  # of the last pass

    def look(_: Any, given: Any, named: dict[str, Any]) -> None:
        masked = (named["input_ids"] == tokenizer.mask_token_id).float()
        model.told = torch.zeros(*masked.shape, model.config.hidden_size)
        model.told[:, 1:, 0] = 64.0 * masked[:, :-1]
        model.told[:, :-1, 1] = 64.0 * masked[:, 1:]

    model.bert.embeddings.register_forward_pre_hook(look, with_kwargs=True)

    def add(_: Any, given: Any, output: Any) -> Any:
        if isinstance(output, tuple):  # as older versions of transformers have it
            return (output[0] + model.told, *output[1:])
        return output + model.told

    model.bert.encoder.layer[-1].register_forward_hook(add)
    model.cls.register_forward_pre_hook(lambda _, given: (given[0] - model.told,))
    return Encoder(model, tokenizer=tokenizer)


def test_words_that_agree_are_connected_where_the_chain_and_perturbed_masking_miss_them() -> None:
    encoder = neighbours_in_vectors()
    for name in CPMI.variants:
        assert agrees(made(name, encoder)) == 1.0
    assert agrees(LinearChain()) == 0.0
    assert agrees(Perturbed(encoder, progress=False)) == 0.0
    # The one bit that subject and verb tell about one another; the rest tells nothing.
    information = np.mean(MaskedImpacts(encoder, measure="pmi").recall(SOME), axis=0)
    assert information[[SUBJECT, VERB], [VERB, SUBJECT]].min() > np.log(2) / 2
    information[[SUBJECT, VERB], [VERB, SUBJECT]] = 0
    assert np.abs(information).max() < np.log(2) / 4


def test_kept_words_are_decoded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    # The comma tells most; without it, the first and third words are joined.
    plant(monkeypatch, [[0, 9, 1], [0, 0, 0], [2, 9, 0]])
    gold = [Sentence(tuple("a,b"), heads=[3, 3, 0], upos=("NOUN", "PUNCT", "VERB"))]
    assert score(gold, made("cpmi").predict(gold)).uuas == 1
    assert score(gold, made("cpmi-projective").predict(gold)).uuas == 0


def test_variants_share_what_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = trained_encoder()
    made("cpmi", encoder).predict(SOME)
    monkeypatch.setattr(MaskedImpacts, "read", None)
    for name in CPMI.variants:
        assert len(made(name, encoder).predict(SOME)) == len(SOME)


def test_sentences_beyond_the_limit_get_the_chain() -> None:
    recoverer = CPMI(trained_encoder(), absolute=True, limit=3, progress=False)
    assert recoverer.name == "cpmi-absolute[limit=3]"
    assert recoverer.predict(SOME[:2])[0].heads.tolist() == list(range(7))
    told = "linear chain for 2 of 2 sentences, with more than 3 words"
    assert recoverer.chosen_["choice"] == told


def test_one_word_is_a_tree() -> None:
    for name in CPMI.variants:
        (found,) = made(name).predict([Sentence(("dance",))])
        assert found.heads.tolist() == [0]


def test_a_model_that_does_not_suit_is_told_why() -> None:
    cutter = wordpiece()
    with pytest.raises(EncoderError, match=r"has no head .*, which CPMI needs; load a checkpoint"):
        made("cpmi", Encoder(tiny_model("bert", cutter), tokenizer=cutter))
    cutter = gpt2_bpe()
    with pytest.raises(EncoderError, match="has no mask token, which CPMI needs; choose a masked"):
        made("cpmi", Encoder(tiny_model("gpt2", cutter), tokenizer=cutter))


def test_rows_of_methods_that_read_the_head(tmp_path: Path) -> None:
    parts = (Treebank(trained_bank()[start : start + 20]) for start in (30, 50, 70))
    methods = "cpmi-absolute,substitutability[k=2],perturbed-probability,perturbed-unmasked"
    rows = compare(trained_encoder(), *parts, folder=tmp_path / "R", methods=methods)
    assert [row["why_empty"] for row in rows] == [None] * 4
    assert all(0 < row["uuas"] < 1 and not row["uses_gold"] for row in rows)
