"""One probe fitted, saved and scored; parse files scored."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.flat_settings import fit_probe
from support.tiny_checkpoints import save_checkpoint
from support.tiny_trees import tiny_bank, tiny_file, tiny_text

from structprobe import Encoder, LinearChain, Prediction, RandomTree, Treebank, score
from structprobe.errors import ProbeError, ScoreError, TreebankError
from structprobe.experiments.evaluate import evaluate, evaluate_probe, score_files
from structprobe.results.rows import ROW_KEYS
from structprobe.show import format_table
from structprobe.treebank import rewrite

TIMES = {"cpu_seconds", "wall_seconds"}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return Encoder(save_checkpoint(tmp_path_factory.mktemp("tiny-bert"), "bert"))


def test_fit_scores_and_saves(encoder: Encoder, tmp_path: Path) -> None:
    train, dev = tiny_file(tmp_path / "t.conllu"), tiny_file(tmp_path / "d.conllu", seed=1)
    recoverer, row = fit_probe(
        encoder, train, dev, layer=2, rank=3, seed=7, max_steps=10, out=tmp_path / "PROBE",
        progress=False,
    )  # fmt: skip
    scores = score(dev, recoverer.predict(dev))
    told = {
        "method": "probe", "layer": 2, "rank": 3, "seed": 7, "recipe": "auto", "select": "uuas",
        "steps": 10, "max_steps": 10, "choice": recoverer.probe.history_["chosen"],
        "model": encoder.origin(2)["model"], "fingerprint": encoder.fingerprint,
        "part": "dev", "train": "t.conllu", "dev": "d.conllu", "treebank": "d.conllu",
        "train_fingerprint": train.fingerprint, "dev_fingerprint": dev.fingerprint,
        "treebank_fingerprint": dev.fingerprint, "n_sentences": 12, "n_words": dev.n_words,
        "punct": "upos", "uuas": scores.uuas, "dev_uuas": scores.uuas, "las": None,
        "uses_gold": False, "products": "float32",
    }  # fmt: skip
    assert {key: row[key] for key in told} == told
    assert list(row) == list(ROW_KEYS)
    assert row["dev_loss"] == recoverer.probe.history_["distance"]["best_dev_loss"]
    assert row["dev_depth_loss"] == recoverer.probe.history_["depth"]["best_dev_loss"]
    assert min(row[key] for key in TIMES) > 0
    config = json.loads((tmp_path / "PROBE" / "config.json").read_text())
    low, high = scores.interval("uuas")
    ends = {"uuas_low": low, "uuas_high": high}
    assert config["dev_scores"].items() >= (scores.to_dict() | ends).items()
    chain = score(dev, LinearChain().predict(dev))
    assert list(config["dev_baselines"]) == ["linear"]
    assert config["dev_baselines"]["linear"].items() >= chain.to_dict().items()
    card = (tmp_path / "PROBE" / "README.md").read_text(encoding="utf-8")
    assert "| score | % | 95% interval | linear chain, % |\n|---|---|---|---|\n" in card
    (uuas,) = (line for line in card.splitlines() if line.startswith("| UUAS |"))
    assert uuas.endswith(f" | {100 * chain.uuas:.1f} |")
    (nspr,) = (line for line in card.splitlines() if line.startswith("| NSpr. |"))
    assert nspr.endswith(" | – |")  # a chain has no depths
    assert config["fitted_on"] == {"train": "t.conllu", "dev": "d.conllu"}
    again = fit_probe(encoder, train, dev, layer=2, rank=3, seed=7, max_steps=10)[1]
    assert {k: v for k, v in again.items() if k not in TIMES} == {
        k: v for k, v in row.items() if k not in TIMES
    }


def test_fit_without_dev_scores_what_it_held_out(
    encoder: Encoder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train = tiny_file(tmp_path / "t.conllu", 60)
    with caplog.at_level("INFO", logger="structprobe"):
        recoverer, row = fit_probe(encoder, train, layer=0, max_steps=2, out=tmp_path / "PROBE")
    held_out = recoverer.probe.history_["held_out"]
    assert len(held_out) == 6
    gold = [train[i] for i in held_out]
    scores = score(gold, recoverer.predict(gold))
    told = {
        "part": "held-out", "uuas": scores.uuas, "dev_uuas": scores.uuas, "n_sentences": 6,
        "n_words": sum(map(len, gold)), "train": "t.conllu", "treebank": "t.conllu", "dev": None,
        "dev_fingerprint": None, "train_fingerprint": train.fingerprint,
        "treebank_fingerprint": Treebank(gold).fingerprint,
    }  # fmt: skip
    assert {key: row[key] for key in told} == told
    numbers = ", ".join(str(i + 1) for i in held_out[:5])
    line = "no dev set was given; held out 6 of 60 sentences of the training set, for stopping and "
    assert f"{line}for the scores: numbers {numbers} and 1 more" in caplog.text
    assert "Scored on the held-out sentences of t.conllu, 6 sentences." in format_table([row])
    assert row["rank"] == encoder.hidden_size
    assert row["dev_loss"] > 0
    config = json.loads((tmp_path / "PROBE" / "config.json").read_text())
    assert config["history"]["held_out"] == held_out
    assert config["dev_scores"]["uuas"] == scores.uuas
    assert config["dev_baselines"]["linear"]["n_sentences"] == 6
    assert config["fitted_on"] == {"train": "t.conllu", "dev": "held-out sentences of train"}
    card = (tmp_path / "PROBE" / "README.md").read_text(encoding="utf-8")
    assert f"- treebank: `{tmp_path.name}/t.conllu`" in card


def test_what_may_mislead_is_in_the_row_and_logged(
    encoder: Encoder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train, dev = tiny_bank(40), tiny_bank(seed=1)
    falling = "training ended after 20 steps while the dev loss was still falling"
    recoverer, row = fit_probe(
        encoder, train, dev, layer=1, max_steps=20, memory_gb=1e6, progress=False
    )
    starts = [
        falling,
        "memory_gb is 1e+06, but this machine has",
        "1 of 12 sentences of dev (8.3%)",
    ]
    starts.append("dev has only 12 sentences")
    for text, start in zip(row["warnings"], starts, strict=True):
        assert text.startswith(start)
        assert caplog.text.count(f"{text}\n") == 1
        assert f"Warning: {text}." in format_table([row])
    caplog.clear()
    rows = evaluate([recoverer, LinearChain()], train)
    same = "test is the treebank that the probe was fitted on: the scores are far too high"
    assert [same in one["warnings"] for one in rows] == [True, False]
    assert any(text.startswith(falling) for text in rows[0]["warnings"])
    assert f"Warning: {same} (1 of 2 rows)." in format_table(rows)
    assert f"Warning: {same}." in repr(rows)
    assert f"<p>Warning: {same}.</p>" in rows._repr_html_()
    assert caplog.text.count(same) == 1
    # They are no part of what identifies a run.
    assert rows[0]["key"] == evaluate([recoverer], train)[0]["key"]
    del recoverer.probe.history_["distance"]["evaluations"][:]
    assert evaluate([recoverer], train)[0]["key"] == rows[0]["key"]


def test_a_parse_file_of_few_sentences_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tiny_file(tmp_path / "gold.conllu")
    row = score_files(tmp_path / "gold.conllu", tmp_path / "gold.conllu")
    assert row["warnings"] == ["test has only 12 sentences: the scores are very uncertain"]
    assert row["warnings"][0] in caplog.text


def test_a_probe_is_not_replaced_unasked(encoder: Encoder, tmp_path: Path) -> None:
    out = tmp_path / "PROBE"
    fit_probe(encoder, tiny_bank(), layer=0, max_steps=2, out=out)
    before = (out / "config.json").read_bytes()
    with pytest.raises(ProbeError, match=r"PROBE: already contains a saved probe; .* force=True"):
        fit_probe(encoder, tiny_bank(), layer=1, max_steps=2, out=out)
    assert (out / "config.json").read_bytes() == before
    fit_probe(encoder, tiny_bank(), layer=1, max_steps=2, out=out, force=True)
    assert (out / "config.json").read_bytes() != before


def test_faults_are_told_before_any_work(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Encoder, "encode", None)
    (tmp_path / "mine").touch()
    bank = tiny_bank()
    with pytest.raises(ProbeError, match="exists and is not a saved probe"):
        fit_probe(encoder, bank, layer=0, out=tmp_path)
    with pytest.raises(ProbeError, match=r"layer 3 is out of range; .* 0 to 2"):
        fit_probe(encoder, bank, layer=3)
    with pytest.raises(ProbeError, match=r"layer .0-1. is several layers"):
        fit_probe(encoder, bank, layer="0-1")
    with pytest.raises(ProbeError, match=r"rank 9 is out of range; .* 1 to 8"):
        fit_probe(encoder, bank, layer=0, rank=9)
    with pytest.raises(ScoreError, match="train treebank has no sentence"):
        fit_probe(encoder, [], layer=0)
    with pytest.raises(ScoreError, match="unknown punct"):
        fit_probe(encoder, bank, layer=0, punct="all")


def test_saved_probe_beside_the_chain(encoder: Encoder, tmp_path: Path) -> None:
    train, test = tiny_bank(), tiny_file(tmp_path / "test.conllu", seed=2)
    recoverer, fitted = fit_probe(
        encoder, train, tiny_bank(seed=1), layer=1, rank=2, seed=5, max_steps=5,
        out=tmp_path / "PROBE", products="bfloat16",
    )  # fmt: skip
    probe, chain = evaluate_probe(tmp_path / "PROBE", test, punct="keep", progress=False)
    assert (probe["method"], chain["method"]) == ("probe", "linear")
    assert probe["uuas"] == score(test, recoverer.predict(test), punct="keep").uuas
    assert chain["uuas"] == score(test, LinearChain().predict(test), punct="keep").uuas
    same = ("layer", "rank", "seed", "recipe", "fingerprint", "train_fingerprint", "max_steps")
    assert {key: probe[key] for key in same} == {key: fitted[key] for key in same}
    assert probe["products"] == fitted["products"] == "bfloat16"
    assert (probe["treebank"], probe["part"], probe["punct"]) == ("test.conllu", "test", "keep")
    assert chain["model"] is chain["layer"] is chain["seed"] is None
    assert probe["key"] != chain["key"]


def test_any_recoverer_is_evaluated() -> None:
    bank = tiny_bank()
    rows = evaluate([RandomTree(3), RandomTree(4)], list(bank), part="dev")
    assert [(row["method"], row["seed"], row["part"]) for row in rows] == [
        ("random", 3, "dev"),
        ("random", 4, "dev"),
    ]
    assert rows[0]["uas"] == score(bank, RandomTree(3).predict(bank)).uas
    with pytest.raises(ScoreError, match="the test treebank has no sentence"):
        evaluate([LinearChain()], [])


def test_parse_file_against_gold(tmp_path: Path) -> None:
    gold = tiny_file(tmp_path / "gold.conllu")
    same = score_files(tmp_path / "gold.conllu", tmp_path / "gold.conllu")
    assert [same[m] for m in ("uuas", "uas", "las", "root_acc")] == [1, 1, 1, 1]
    assert same["dspr"] is None
    assert (same["method"], same["treebank"]) == ("gold.conllu", "gold.conllu")
    assert same["n_words"] == gold.n_words

    chain = LinearChain().predict(gold)
    blocks = [rewrite(sentence, tree.heads) for sentence, tree in zip(gold, chain, strict=True)]
    (tmp_path / "chain.conllu").write_text("".join(blocks))
    row = score_files(tmp_path / "gold.conllu", tmp_path / "chain.conllu", punct="keep")
    heads_alone = [Prediction(tree.heads) for tree in chain]
    wanted = score(gold, heads_alone, punct="keep")
    assert (row["uas"], row["uuas"]) == (wanted.uas, wanted.uuas)


def relabelled(path: Path, text: str, *labels: str) -> Path:
    """Write a treebank whose relations are these, over and over."""
    rows = [line.split("\t") for line in text.split("\n")]
    words = [row for row in rows if len(row) == 10]
    for i, row in enumerate(words):
        row[7] = labels[i % len(labels)]
    path.write_text("\n".join("\t".join(row) for row in rows))
    return path


def test_no_las_of_unlabelled_trees(tmp_path: Path) -> None:
    text = tiny_text(4)
    named = relabelled(tmp_path / "named", text, "root", "nsubj:pass", "dep")
    bare = relabelled(tmp_path / "bare", text, "root", "dep", "dep:aux")
    other = relabelled(tmp_path / "other", text, "root", "nsubj", "dep")
    one = relabelled(tmp_path / "one", text, *["dep"] * 8, "obj")
    none = relabelled(tmp_path / "none", text, "_")
    assert score_files(named, bare)["las"] is None
    assert score_files(named, bare)["uas"] == 1.0
    assert score_files(named, none)["las"] is None
    # Where one word has a relation, the file has relations; where gold has none, they are equal.
    assert score_files(named, other)["las"] == 1.0
    assert score_files(named, one)["las"] is not None
    assert score_files(bare, bare)["las"] == 1.0
    assert score_files(bare, named)["las"] == pytest.approx(2 / 3, abs=0.05)


def test_parse_and_score_differ_from_evaluate_in_what_is_decoded_anew(
    encoder: Encoder, tmp_path: Path
) -> None:
    bank = tiny_file(tmp_path / "gold.conllu", 60)
    recoverer, _ = fit_probe(encoder, bank, layer=2, rank=3, max_steps=10, progress=False)
    predictions = recoverer.predict(bank)
    blocks = [rewrite(*both) for both in zip(bank, (p.heads for p in predictions), strict=True)]
    (tmp_path / "parsed.conllu").write_text("".join(blocks))
    rows = {}
    for punct in ("upos", "keep"):
        (own,) = evaluate([recoverer], bank, punct=punct)
        rows[punct] = (
            own,
            score_files(tmp_path / "gold.conllu", tmp_path / "parsed.conllu", punct=punct),
        )
    for metric in ("uuas", "uas", "root_acc"):
        own, of_file = (row[metric] for row in rows["keep"])
        assert own == of_file
    own, of_file = rows["upos"]
    assert own["uas"] == of_file["uas"]
    assert own["uuas"] != of_file["uuas"]
    cut = score(bank, [Prediction(one.heads) for one in predictions])
    assert (of_file["uuas"], of_file["root_acc"]) == (cut.uuas, cut.root_acc)


def test_files_that_differ(tmp_path: Path) -> None:
    gold, system = tmp_path / "gold.conllu", tmp_path / "system.conllu"
    bank = tiny_file(gold, 4)
    system.write_text(tiny_text(3))
    with pytest.raises(ScoreError, match="the system file has no sentence 4, but the gold") as e:
        score_files(gold, system)
    assert bank[3].where in str(e.value)
    with pytest.raises(ScoreError, match="the gold file has no sentence 4, but the system"):
        score_files(system, gold)

    second = bank[1].words[0]
    head, tail = tiny_text(4).split("tiny-1\n")
    system.write_text(head + "tiny-1\n" + tail.replace(f"\t{second}\t", "\tOTHER\t", 1))
    with pytest.raises(ScoreError, match="sentence 2 differs from the gold file at word 1") as e:
        score_files(gold, system)
    for told in (f"{system}:{bank[1].line}", f"{gold}:{bank[1].line}", "'OTHER'", repr(second)):
        assert told in str(e.value)

    shorter = Treebank.from_text("1\tthe\t_\t_\t_\t_\t0\t_\t_\t_\n\n")
    longer = "1\tthe\t_\t_\t_\t_\t0\t_\t_\t_\n2\tdog\t_\t_\t_\t_\t1\t_\t_\t_\n\n"
    shorter.write(gold)
    system.write_text(longer)
    with pytest.raises(ScoreError, match="at word 2: 'dog' instead of 'the end' at"):
        score_files(gold, system)
    system.write_text(longer.replace("\t0\t", "\t_\t").replace("\t1\t_", "\t_\t_"))
    with pytest.raises(ScoreError, match="a sentence in the system treebank has no heads"):
        score_files(gold, system)
    with pytest.raises(TreebankError, match="nowhere"):
        score_files(gold, tmp_path / "nowhere.conllu")
