"""The near-word bias beside every probe of a sweep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.flat_settings import fit_probe, plan_sweep, sweep
from support.tiny_checkpoints import save_checkpoint
from support.tiny_trees import tiny_bank

from structprobe import Encoder, LinearChain
from structprobe.cli.main import main
from structprobe.errors import ProbeError
from structprobe.experiments.evaluate import evaluate
from structprobe.results.folder import read_rows
from structprobe.results.saved_runs import read_stimuli
from structprobe.show.report import build_report
from structprobe.show.table import format_table
from structprobe.stimuli import make_stimuli, score_stimuli

BANKS = (tiny_bank(), tiny_bank(seed=1), tiny_bank(seed=2))
SMALL: dict[str, Any] = {"layers": "0,2", "ranks": (2,), "max_steps": 5}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    folder = tmp_path_factory.mktemp("tiny-bert")
    # The tiny model knows none of the grammar's words.
    return Encoder(save_checkpoint(folder, "bert"), device="cpu", max_unknown=1.0)


def test_each_probe_has_its_bias(encoder: Encoder, tmp_path: Path) -> None:
    rows = sweep(encoder, *BANKS, folder=tmp_path, stimuli=39, controls="form", **SMALL)
    stimuli = make_stimuli("distance", n=39)
    for row in rows:
        if row["method"] != "probe":
            assert (row["stimuli"], row["near_word_bias"]) == (None, None)
            continue
        how = {"layer": row["layer"], "rank": 2, "max_steps": 5}
        recoverer, alone = fit_probe(encoder, *BANKS[:2], **how)
        told = score_stimuli(recoverer, stimuli)[-1]
        kept = read_stimuli(tmp_path, row["key"])
        assert [one["value"] for one in kept] == [*(f"between={n}" for n in range(13)), "all"]
        assert kept[-1]["slope"] == row["near_word_bias"]
        for end in ("", "_low", "_high"):
            assert row[f"near_word_bias{end}"] == pytest.approx(told[f"slope{end}"], rel=1e-5)
        assert (row["stimuli"], row["dev_uuas"]) == (39, alone["dev_uuas"])
    assert rows == read_rows(tmp_path)
    assert "near-word bias" in format_table(rows).splitlines()[0]
    assert "near-word bias" in build_report(tmp_path)
    assert len([*(tmp_path / "stimuli").iterdir()]) == 2


def test_the_bias_is_measured_when_it_is_asked_for_later(encoder: Encoder, tmp_path: Path) -> None:
    told = {"folder": tmp_path, "baselines": False, **SMALL}
    before = sweep(encoder, *BANKS, **told)
    assert plan_sweep(encoder, *BANKS, stimuli=39, **told)["runs_done"] == 0
    after = sweep(encoder, *BANKS, stimuli=39, **told)
    assert [row["uuas"] for row in after] == [row["uuas"] for row in before]
    assert all(row["near_word_bias"] is not None for row in after)
    assert len(read_rows(tmp_path)) == 4


def test_the_bias_of_several_seeds_and_workers(encoder: Encoder, tmp_path: Path) -> None:
    from structprobe.experiments.runs.backends import Backend

    told = {"layers": "2", "ranks": (2,), "max_steps": 5, "seeds": (0, 1), "baselines": False}
    here = sweep(encoder, *BANKS, folder=tmp_path / "here", stimuli=39, **told)
    assert " ± " in format_table(here).splitlines()[1]
    backend = Backend(jobs=2, name="threading")
    there = sweep(encoder, *BANKS, folder=tmp_path / "x", stimuli=39, backend=backend, **told)
    assert [row["near_word_bias"] for row in here] == [row["near_word_bias"] for row in there]
    both = ([read_stimuli(tmp_path / name, row["key"]) for row in here] for name in ("here", "x"))
    assert next(both) == next(both)


def test_what_is_refused(encoder: Encoder, tmp_path: Path, capsys: Any) -> None:
    with pytest.raises(ProbeError, match="stimuli"):
        sweep(encoder, *BANKS, folder=tmp_path, stimuli=-1)
    with pytest.raises(ProbeError, match="1 stimulus has no near-word bias"):
        sweep(encoder, *BANKS, folder=tmp_path, stimuli=1)
    for wrong in (1, -1):
        with pytest.raises(ProbeError, match="stimul"):
            evaluate([LinearChain()], BANKS[0], stimuli=wrong)
    BANKS[0].write(tmp_path / "bank.conllu")
    command = f"sweep --model {encoder.model} --train {tmp_path}/bank.conllu --dev "
    command += f"{tmp_path}/bank.conllu -o {tmp_path}/DIR -q --stimuli"
    with pytest.raises(SystemExit):
        main([*command.split(), "few"])
    assert "--stimuli: 'few' is not a whole number of at least 1" in capsys.readouterr().err
