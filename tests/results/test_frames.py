from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from structprobe.errors import ResultError
from structprobe.results.folder import ResultsFolder, read_rows, to_frame
from structprobe.results.frames import Rows
from structprobe.results.rows import ROW_KEYS, make_row


def test_rows_and_folders_become_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        make_row(key=str(layer), method="probe", layer=layer, uuas=layer / 10) for layer in range(3)
    ]
    results = ResultsFolder(tmp_path / "results")
    for row in rows:
        results.add(row)
    for table in (to_frame(rows), to_frame(results.folder)):
        assert list(table.columns) == list(ROW_KEYS)
        assert table.set_index("layer")["uuas"].to_dict() == {0: 0.0, 1: 0.1, 2: 0.2}
    assert to_frame([]).empty
    with pytest.raises(ResultError):
        to_frame(tmp_path)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ResultError, match=r"structprobe\[pandas\]"):
        to_frame(rows)


def test_columns_keep_their_types_where_values_are_missing() -> None:
    """Whole numbers stay whole beside a method without a layer, and names are categories."""
    rows = [
        make_row(method="linear", uuas=1, uses_gold=False),
        make_row(method="probe", layer=3, rank=64, seed=0, uuas=0.5, dev_uuas=0.25, why_empty="x"),
    ]
    for table in (to_frame(rows), Rows(rows).to_frame(), to_frame([])):
        kinds = {name: str(kind) for name, kind in table.dtypes.items()}
        assert {kinds[name] for name in ("layer", "rank", "seed", "steps")} == {"Int64"}
        assert {kinds[name] for name in ("method", "model", "train", "punct", "dev")} == {
            "category"
        }
        told = ("uuas", "uuas_low", "dev_uuas", "dev_loss", "cpu_seconds")
        assert {kinds[name] for name in told} == {"float64"}
        assert (kinds["uses_gold"], kinds["why_empty"]) == ("boolean", "object")
    table = to_frame(rows)
    assert table["layer"].isna().tolist() == [True, False]
    assert table["layer"][1] == 3
    assert table["uuas"].tolist() == [1.0, 0.5]
    assert table.groupby("method", observed=True)["uuas"].mean().to_dict() == {
        "linear": 1.0, "probe": 0.5,
    }  # fmt: skip


def test_rows_show_themselves(tmp_path: Path) -> None:
    rows = Rows(
        [
            make_row(method="linear", uuas=0.4321),
            make_row(method="probe", layer=3, uuas=None, why_empty="<no>"),
        ]
    )
    assert repr(rows).splitlines() == [
        "2 rows, scores in per cent",
        "method  layer  uuas  why_empty",
        "linear  –      43.2  –",
        "probe   3      –     <no>",
    ]
    assert repr(rows[:1]).startswith("1 row, ")
    assert repr(Rows()) == "0 rows, scores in per cent"
    assert rows[1] == dict(rows[1])
    page = rows._repr_html_()
    assert page.count("<tr>") == 3
    assert "<td>43.2</td>" in page
    assert "&lt;no&gt;" in page
    assert json.loads(json.dumps(rows)) == rows  # a list still
    results = ResultsFolder(tmp_path / "r")
    assert isinstance(read_rows(results.folder), Rows)
