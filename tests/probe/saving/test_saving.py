"""A saved probe: whole or not at all, ours or refused, and the same when it comes back."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import huggingface_hub
import huggingface_hub.constants
import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard
from safetensors.numpy import load_file, save_file
from support.small_disk import no_file_beyond

from structprobe.encoder.vectors import WordVectors
from structprobe.errors import ProbeError
from structprobe.probe import NotFittedError, StructuralProbe
from structprobe.probe.saving.card import PICTURE
from structprobe.probe.saving.save_load import CARD, CONFIG, WEIGHTS, check_target, plain
from structprobe.probe.saving.training_curve import training_curve
from structprobe.treebank import Treebank

FILES = {CONFIG, WEIGHTS, CARD, PICTURE}
ORIGIN = {
    "model": "bert-base-cased",
    "revision": "0123abcd",
    "fingerprint": "0123abcd-77",
    "pooling": "mean",
    "spacing": "words",
    "bos": False,
    "dtype": "float32",
    "layer": 7,
}
HEADS = "the 2\ndog 3\nbarks 0\n\nit 2\nis 0\n\na 2\ncat 3\nsat 0\nthere 3\n\n"


def bank() -> Treebank:
    """Three little trees."""
    blocks = [[row.split() for row in block.splitlines()] for block in HEADS.strip().split("\n\n")]
    lines = (
        "\t".join([str(i), word, "_", "X", *"__", head, *"___"]) + "\n" * (1 + (i == len(block)))
        for block in blocks
        for i, (word, head) in enumerate(block, start=1)
    )
    return Treebank.from_text("".join(lines))


def vectors(seed: int = 0, origin: dict[str, object] | None = ORIGIN) -> WordVectors:
    values = np.random.default_rng(seed).standard_normal((9, 6)).astype(np.float32)
    return WordVectors(values, np.array([0, 3, 5, 9]), origin)


@pytest.fixture(scope="module")
def probe() -> StructuralProbe:
    fresh = StructuralProbe(rank=4, max_steps=20, random_state=3)
    return fresh.fit(vectors(), bank(), dev=(vectors(), bank()))


def config_of(folder: Path) -> dict:
    return json.loads((folder / CONFIG).read_text(encoding="utf-8"))


def change(folder: Path, **values: object) -> None:
    """Change a config on purpose: without its checksum."""
    config = {key: value for key, value in config_of(folder).items() if key != "checksum"}
    (folder / CONFIG).write_text(json.dumps(config | values))


def test_comes_back_as_it_was(probe: StructuralProbe, tmp_path: Path) -> None:
    probe.save_pretrained(tmp_path / "deep" / "PROBE")
    loaded = StructuralProbe.from_pretrained(f"{tmp_path}/deep/PROBE/")
    assert loaded.get_params() == probe.get_params()
    for name in ("distance_components_", "depth_components_"):
        found, wanted = getattr(loaded, name), getattr(probe, name)
        assert found.dtype == wanted.dtype
        np.testing.assert_array_equal(found, wanted)
    assert loaded.n_features_in_ == 6
    assert loaded.origin_ == ORIGIN
    assert loaded.treebank_fingerprint_ == bank().fingerprint
    assert loaded.history_ == probe.history_
    for mine, theirs in zip(
        loaded.predictions(vectors()), probe.predictions(vectors()), strict=True
    ):
        np.testing.assert_array_equal(mine.heads, theirs.heads)
        np.testing.assert_array_equal(mine.distances, theirs.distances)
    with pytest.raises(ProbeError, match="layer"):
        loaded.predict(vectors(origin={**ORIGIN, "layer": 8}))


def test_config_tells_what_was_fitted(probe: StructuralProbe, tmp_path: Path) -> None:
    scores = probe.evaluate(vectors(), bank(), punct="keep")
    probe.save_pretrained(tmp_path, dev_scores=scores, fitted_on={"train": "three.conllu"})
    config = config_of(tmp_path)
    assert set(config["versions"]) == {"structprobe", "torch", "transformers"}
    assert all(config["versions"].values())
    assert (config["rank"], config["hidden_size"], config["format_version"]) == (4, 6, 1)
    assert config["hyperparameters"]["random_state"] == 3
    assert config["origin"] == ORIGIN
    assert config["treebank_fingerprint"] == bank().fingerprint
    low, high = scores.interval("uuas")
    assert config["dev_scores"].items() >= scores.to_dict().items()
    assert (config["dev_scores"]["uuas_low"], config["dev_scores"]["uuas_high"]) == (low, high)
    assert config["dev_scores"]["punct"] == "keep"
    assert config["fitted_on"] == {"train": "three.conllu"}
    assert config["history"]["distance"]["steps"] == 20
    assert {path.name for path in tmp_path.iterdir()} == FILES
    assert set(load_file(tmp_path / WEIGHTS)) == {"distance_components", "depth_components"}


def test_scores_survive_a_second_saving_but_not_a_second_fit(
    probe: StructuralProbe, tmp_path: Path
) -> None:
    chain = {"linear": {"uuas": 0.25}}
    probe.save_pretrained(
        tmp_path / "a", dev_scores={"uuas": 0.5}, fitted_on={"train": "t"}, dev_baselines=chain
    )
    loaded = StructuralProbe.from_pretrained(tmp_path / "a")
    loaded.save_pretrained(tmp_path / "b")
    assert config_of(tmp_path / "b")["dev_scores"] == {"uuas": 0.5}
    assert config_of(tmp_path / "b")["fitted_on"] == {"train": "t"}
    assert config_of(tmp_path / "b")["dev_baselines"] == chain
    assert "| UUAS | 50.0 | – | 25.0 |" in (tmp_path / "b" / CARD).read_text(encoding="utf-8")
    loaded.fit(vectors(1), bank()).save_pretrained(tmp_path / "c")
    assert config_of(tmp_path / "c")["dev_scores"] is None
    assert config_of(tmp_path / "c")["fitted_on"] is None
    assert config_of(tmp_path / "c")["dev_baselines"] is None


def test_a_device_of_torch_is_saved_by_its_name(probe: StructuralProbe, tmp_path: Path) -> None:
    named = copy.copy(probe).set_params(device=torch.device("cpu"))
    named.save_pretrained(tmp_path)
    assert StructuralProbe.from_pretrained(tmp_path).device == "cpu"


def test_plain_arrays_leave_no_origin(tmp_path: Path) -> None:
    lists = [np.array(one) for one in vectors()]
    fitted = StructuralProbe(max_steps=2, random_state=np.random.default_rng(0))
    fitted.fit(lists, [sentence.heads for sentence in bank()]).save_pretrained(tmp_path)
    loaded = StructuralProbe.from_pretrained(tmp_path)
    assert loaded.origin_ is None
    assert loaded.treebank_fingerprint_ is None
    assert loaded.random_state is None  # a generator has no plain form
    assert "plain arrays of unknown origin" in (tmp_path / CARD).read_text(encoding="utf-8")


def test_unfitted_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(NotFittedError):
        StructuralProbe().save_pretrained(tmp_path / "PROBE")
    assert not any(tmp_path.iterdir())


def test_older_probe_is_replaced_whole(probe: StructuralProbe, tmp_path: Path) -> None:
    folder = tmp_path / "PROBE"
    probe.save_pretrained(folder, dev_scores={"uuas": 0.25})
    probe.save_pretrained(folder, dev_scores={"uuas": 0.75})
    assert config_of(folder)["dev_scores"]["uuas"] == 0.75
    assert [path.name for path in tmp_path.iterdir()] == ["PROBE"]


def test_a_link_to_a_folder_stays_a_link(probe: StructuralProbe, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    probe.save_pretrained(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert {path.name for path in (tmp_path / "real").iterdir()} == FILES


@pytest.mark.fault_class("strangers")
@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("notes.txt", "mine", "is not a saved probe; choose a new or empty folder"),
        (CONFIG, '{"model_type": "bert"}', "is not a saved probe"),
        (CONFIG, "no json", "is not a saved probe"),
        (CONFIG, "[]", "is not a saved probe"),
    ],
)
def test_foreign_folder_is_refused(
    probe: StructuralProbe, tmp_path: Path, name: str, content: str, words: str
) -> None:
    folder = tmp_path / "PROBE"
    folder.mkdir()
    (folder / name).write_text(content)
    with pytest.raises(ProbeError, match=words) as caught:
        probe.save_pretrained(folder)
    assert str(folder) in str(caught.value)
    assert [path.name for path in folder.iterdir()] == [name]
    assert (folder / name).read_text() == content


@pytest.mark.fault_class("strangers")
def test_a_probe_with_someone_elses_file_is_kept(probe: StructuralProbe, tmp_path: Path) -> None:
    probe.save_pretrained(tmp_path / "PROBE")
    (tmp_path / "PROBE" / "thesis.tex").touch()
    with pytest.raises(ProbeError, match=r"'thesis\.tex', which is not part of a saved probe"):
        probe.save_pretrained(tmp_path / "PROBE")


def test_a_file_is_no_folder(probe: StructuralProbe, tmp_path: Path) -> None:
    file = tmp_path / "PROBE"
    file.touch()
    with pytest.raises(ProbeError, match="is a file, not a folder"):
        check_target(file)
    with pytest.raises(ProbeError, match="is a file, not a folder"):
        StructuralProbe.from_pretrained(file)


@pytest.mark.parametrize("older", [False, True])
@pytest.mark.fault_class("full disk")
def test_full_disk_loses_nothing(probe: StructuralProbe, tmp_path: Path, older: bool) -> None:
    folder = tmp_path / "PROBE"
    if older:
        probe.save_pretrained(folder, dev_scores={"uuas": 0.25})
    with (
        no_file_beyond(100),
        pytest.raises(ProbeError, match=r"PROBE: cannot save the probe: .*were not changed"),
    ):
        probe.save_pretrained(folder, dev_scores={"uuas": 0.75})
    assert [path.name for path in tmp_path.iterdir()] == (["PROBE"] if older else [])
    if older:
        assert config_of(folder)["dev_scores"]["uuas"] == 0.25
        assert StructuralProbe.from_pretrained(folder).rank == 4


@pytest.mark.parametrize("older", [False, True])
@pytest.mark.fault_class("full disk")
def test_older_probe_comes_back_if_the_swap_fails(
    probe: StructuralProbe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, older: bool
) -> None:
    folder = tmp_path / "PROBE"
    if older:
        probe.save_pretrained(folder, dev_scores={"uuas": 0.25})
    rename = Path.rename

    def failing(path: Path, target: Path) -> Path:
        if path.name.endswith(".draft"):
            raise OSError(5, "Input/output error")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", failing)
    monkeypatch.setattr("structprobe.drafts._exchange", lambda *_: False)  # as on other systems
    with pytest.raises(ProbeError, match="Input/output error"):
        probe.save_pretrained(folder, dev_scores={"uuas": 0.75})
    assert [path.name for path in tmp_path.iterdir()] == (["PROBE"] if older else [])
    if older:
        assert config_of(folder)["dev_scores"]["uuas"] == 0.25


@pytest.mark.parametrize("name", ["PROBE", "PROBE/", "./PROBE", "/no/such/PROBE", "a/b/c"])
def test_missing_folder_says_so(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ProbeError, match="no such folder; pass a folder") as caught:
        StructuralProbe.from_pretrained(name)
    assert str(caught.value).startswith(name)
    assert "'owner/name'" in str(caught.value)


def hub_cache(folder: Path, repo_id: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Lay out the hub's cache with one snapshot, and give the snapshot's folder."""
    commit = "0" * 40
    root = folder / f"models--{repo_id.replace('/', '--')}"
    (root / "refs").mkdir(parents=True)
    (root / "refs" / "main").write_text(commit)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return root / "snapshots" / commit


def test_hub_id_is_read_from_the_cache_offline(
    probe: StructuralProbe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe.save_pretrained(hub_cache(tmp_path, "me/my-probe", monkeypatch))
    loaded = StructuralProbe.from_pretrained("me/my-probe")
    np.testing.assert_array_equal(loaded.depth_components_, probe.depth_components_)


def test_unknown_hub_id_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub_cache(tmp_path, "me/other", monkeypatch)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ProbeError) as caught:
        StructuralProbe.from_pretrained("me/probe", revision="v2")
    assert str(caught.value) == (
        "me/probe: no such folder, not in the local cache at revision 'v2', and the hub cannot be "
        "reached; check the name, or download it while online: hf download me/probe"
    )


def test_what_the_hub_answers_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ValueError("401 Client Error.\nRepository Not Found")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    told = "me/probe: no such folder, and no such probe on the hub: 401 Client Error; p"
    with pytest.raises(ProbeError, match=told):
        StructuralProbe.from_pretrained("me/probe")


def test_revision_of_a_folder_is_refused(probe: StructuralProbe, tmp_path: Path) -> None:
    probe.save_pretrained(tmp_path)
    with pytest.raises(ProbeError, match="revision 'v2' applies only to a hub id"):
        StructuralProbe.from_pretrained(tmp_path, revision="v2")


@pytest.mark.fault_class("strangers")
@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"format": "bert"}, "not the config of a structural probe"),
        ({"format_version": 3}, "format version 3, but structprobe .* reads up to 2; upgrade"),
        ({"format_version": "1"}, "format version '1'"),
        ({"rank": 3}, r"distance_components has shape \(4, 6\), but the config says \(3, 6\)"),
        ({"hyperparameters": {"depth": 3}}, "hyperparameters that structprobe .* does not support"),
    ],
)
def test_config_that_does_not_fit(
    probe: StructuralProbe, tmp_path: Path, values: dict, words: str
) -> None:
    probe.save_pretrained(tmp_path)
    change(tmp_path, **values)
    with pytest.raises(ProbeError, match=words):
        StructuralProbe.from_pretrained(tmp_path)


@pytest.mark.fault_class("strangers")
@pytest.mark.parametrize("content", ["{", "[1, 2]"])
def test_config_that_is_none(probe: StructuralProbe, tmp_path: Path, content: str) -> None:
    probe.save_pretrained(tmp_path)
    (tmp_path / CONFIG).write_text(content)
    with pytest.raises(ProbeError, match=r"config\.json: (not valid JSON|not the config)"):
        StructuralProbe.from_pretrained(tmp_path)


@pytest.mark.fault_class("strangers")
def test_config_that_lacks_a_key(probe: StructuralProbe, tmp_path: Path) -> None:
    probe.save_pretrained(tmp_path)
    config = config_of(tmp_path)
    del config["origin"]
    (tmp_path / CONFIG).write_text(json.dumps(config))
    with pytest.raises(ProbeError, match="key 'origin' is missing"):
        StructuralProbe.from_pretrained(tmp_path)


def test_a_folder_without_a_probe(tmp_path: Path) -> None:
    (tmp_path / "probe.pt").write_bytes(b"\x80\x04")
    with pytest.raises(ProbeError, match=r"is not a saved probe: it has no config\.json"):
        StructuralProbe.from_pretrained(tmp_path)


@pytest.mark.fault_class("strangers")
def test_matrices_missing_or_damaged(probe: StructuralProbe, tmp_path: Path) -> None:
    probe.save_pretrained(tmp_path)
    weights = tmp_path / WEIGHTS
    whole = load_file(weights)
    save_file({**whole, "depth_components": np.full((4, 6), np.inf)}, weights)
    with pytest.raises(ProbeError, match="depth_components contains values that are not finite"):
        StructuralProbe.from_pretrained(tmp_path)
    save_file({"distance_components": whole["distance_components"]}, weights)
    with pytest.raises(ProbeError, match="matrix 'depth_components' is missing"):
        StructuralProbe.from_pretrained(tmp_path)
    weights.write_bytes(b"cut short")
    with pytest.raises(ProbeError, match="not a valid safetensors file"):
        StructuralProbe.from_pretrained(tmp_path)
    weights.unlink()
    with pytest.raises(ProbeError, match=r"incomplete saved probe: it has no model\.safetensors"):
        StructuralProbe.from_pretrained(tmp_path)


class HubStandIn:
    """What `HfApi` does, into a folder."""

    folder: Path
    error: Exception | None = None

    def __init__(self, token: str | None = None) -> None:
        self.token = token

    def create_repo(self, repo_id: str, *, private: bool, exist_ok: bool) -> None:
        if self.error:
            raise self.error
        (self.folder / repo_id).mkdir(parents=True, exist_ok=exist_ok)
        (self.folder / "private").write_text(f"{private} {self.token}")

    def create_commit(
        self, repo_id: str, operations: list, *, commit_message: str, revision: str | None
    ) -> SimpleNamespace:
        for operation in operations:
            (self.folder / repo_id / operation.path_in_repo).write_bytes(operation.path_or_fileobj)
        return SimpleNamespace(commit_url=f"https://hub/{repo_id}/{revision}/{commit_message}")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[HubStandIn]:
    stand_in = type("Hub", (HubStandIn,), {"folder": tmp_path})
    monkeypatch.setattr(huggingface_hub, "HfApi", stand_in)
    return stand_in


def test_push_commits_the_same_files(
    probe: StructuralProbe, tmp_path: Path, hub: type[HubStandIn]
) -> None:
    url = probe.push_to_hub(
        "me/probe", private=True, token="secret", revision="dev", commit_message="new"
    )
    assert url == "https://hub/me/probe/dev/new"
    assert (tmp_path / "private").read_text() == "True secret"
    assert {path.name for path in (tmp_path / "me" / "probe").iterdir()} == FILES
    loaded = StructuralProbe.from_pretrained(tmp_path / "me" / "probe")
    np.testing.assert_array_equal(loaded.distance_components_, probe.distance_components_)


def test_push_tells_what_went_wrong(probe: StructuralProbe, hub: type[HubStandIn]) -> None:
    with pytest.raises(ProbeError, match="'probe' is not a hub id; use the form 'owner/name'"):
        probe.push_to_hub("probe")
    hub.error = OSError("no way there\nand more")
    with pytest.raises(ProbeError, match=r"cannot upload to 'me/probe': no way there$"):
        probe.push_to_hub("me/probe")
    hub.error = OSError()
    with pytest.raises(ProbeError, match=r"cannot upload to 'me/probe': OSError$"):
        probe.push_to_hub("me/probe")


def test_push_without_a_connection(probe: StructuralProbe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ProbeError, match=r"cannot upload to 'me/probe': .*offline mode"):
        probe.push_to_hub("me/probe", token="hf_none")


def test_card_of_a_hub_model(probe: StructuralProbe, tmp_path: Path) -> None:
    scores = probe.evaluate(vectors(), bank(), punct="keep")
    probe.save_pretrained(tmp_path, dev_scores=scores, fitted_on={"train": "three.conllu"})
    card = ModelCard.load(tmp_path / CARD)
    assert card.data.base_model == "bert-base-cased"
    assert card.data.library_name == "structprobe"
    assert "- layer: `7`" in card.text
    assert "- train: `three.conllu`" in card.text
    low, high = (f"{100 * end:.1f}" for end in scores.interval("uuas"))
    assert f"| UUAS | {100 * scores.uuas:.1f} | {low} to {high} |" in card.text
    assert f"]({PICTURE})" in card.text
    assert 'Protocol: punct="keep": all words count' in card.text
    assert "ProbeRecoverer.from_pretrained" in card.text
    assert (
        "recipe: `loss=absolute, max_steps=20, products=float32, random_state=3, rank=4, "
        "recipe=auto, select=uuas, " in card.text
    )


def test_the_picture_shows_both_losses(probe: StructuralProbe, tmp_path: Path) -> None:
    probe.save_pretrained(tmp_path)
    picture = ElementTree.fromstring((tmp_path / PICTURE).read_text(encoding="utf-8"))
    name = "{http://www.w3.org/2000/svg}"
    lines = picture.findall(f"{name}polyline")
    for kind, line in zip(("distance", "depth"), lines, strict=True):
        evaluations = probe.history_[kind]["evaluations"]
        points = [tuple(map(float, point.split(","))) for point in line.get("points").split()]
        assert len(points) == len(evaluations)
        # Farther right the later, higher up the greater the loss.
        assert [x for x, _ in points] == sorted(x for x, _ in points)
        losses = [one["dev_loss"] for one in evaluations]
        assert np.argmin(losses) == np.argmax([y for _, y in points])
        assert f"{kind} {min(losses):.3f}" in picture.findtext(f"{name}title")
    assert [text.text for text in picture.findall(f"{name}text")][-2:] in (
        ["distance", "depth"],
        ["depth", "distance"],
    )
    assert training_curve({"distance": {"evaluations": [{"step": 1, "dev_loss": 1.0}]}}) is None
    assert training_curve({}) is None


def test_card_names_the_treebank(tmp_path: Path) -> None:
    folder = tmp_path / "private" / "UD_Own-Bank"
    folder.mkdir(parents=True)
    paths = [folder / "one.conllu", folder / "two.conllu"]
    for path in paths:
        bank().write(path)
    for files, named in ((paths[:1], "UD_Own-Bank/one.conllu"), (paths, None)):
        read = Treebank.read(files)
        values = np.random.default_rng(0).standard_normal((9 * len(files), 6)).astype(np.float32)
        X = WordVectors(values, np.cumsum([0, *map(len, read)]))
        fitted = StructuralProbe(max_steps=2, random_state=0).fit(X, read, dev=(X, read))
        fitted.save_pretrained(tmp_path / "probe")
        named = named or "UD_Own-Bank/one.conllu+UD_Own-Bank/two.conllu"
        assert config_of(tmp_path / "probe")["history"]["treebank"] == named
        card = (tmp_path / "probe" / CARD).read_text(encoding="utf-8")
        assert f"- treebank: `{named}`\n" in card
        assert "private" not in card
    fitted.fit(X, [sentence.heads for sentence in read]).save_pretrained(tmp_path / "probe")
    card = (tmp_path / "probe" / CARD).read_text(encoding="utf-8")
    assert "- treebank: `unknown: its trees were not read from a file`" in card


@pytest.mark.fault_class("strangers")
def test_card_keeps_local_paths_to_itself(probe: StructuralProbe, tmp_path: Path) -> None:
    model = tmp_path / "home" / "ada" / "models" / "tiny"
    model.mkdir(parents=True)
    origin = {**ORIGIN, "model": str(model), "revision": None}
    fitted = StructuralProbe(max_steps=2).fit(vectors(origin=origin), bank())
    fitted.save_pretrained(tmp_path / "PROBE")
    card = ModelCard.load(tmp_path / "PROBE" / CARD)
    assert card.data.base_model is None
    assert "- model: `models/tiny`" in card.text
    assert "ada" not in card.content
    assert "No scores were saved." in card.text
    assert "revision" not in card.text


def test_plain_values() -> None:
    value = {
        1: (np.float32(0.5), np.int64(3)),
        "a": np.array([[1, 2]]),
        "nan": math.nan,
        "inf": np.inf,
        "generator": np.random.default_rng(0),
        "ok": [None, True, "x"],
    }
    assert plain(value) == {
        "1": [0.5, 3],
        "a": [[1, 2]],
        "nan": None,
        "inf": None,
        "generator": None,
        "ok": [None, True, "x"],
    }
