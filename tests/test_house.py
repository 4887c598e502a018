"""The rules of the house: who may import whom, how long a file may be, what is loaded when."""

from __future__ import annotations

import ast
import io
import subprocess
import sys
import tokenize
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "structprobe"

# The way of the data, top to bottom: a room imports only from itself and from rooms before it.
ROOMS = (
    "_version",
    "errors",
    "checksums",
    "memory",
    "tree_faults",
    "notebook",
    "progress",
    "output_paths",
    "drafts",
    "stored_files",
    "locks",
    "notebook",
    "devices",
    "treebank",
    "trees",
    "draw",
    "scores",
    "results",
    "models",
    "encoder",
    "probe",
    "attention",
    "masking",
    "recoverers",
    "stimuli",
    "behaviour",
    "experiments",
    "show",
    "cli",
)

# What a room must know nothing of, although the order alone would allow it.
HEAVY = {"torch", "transformers", "sklearn", "matplotlib"}
PLAIN = {"structprobe.treebank", "structprobe.trees", "structprobe.draw", "structprobe.scores"}
FORBIDDEN = {
    "treebank": HEAVY | {"structprobe.trees"},
    "trees": HEAVY | {"structprobe.treebank"},
    "draw": HEAVY | {"structprobe.treebank"},
    "scores": HEAVY | {"structprobe.treebank"},
    "results": HEAVY | {"structprobe.trees", "structprobe.draw"},
    "models": {"sklearn", "matplotlib"} | PLAIN,
    "encoder": {"sklearn", "matplotlib"} | PLAIN - {"structprobe.treebank"},
    "probe": {
        "transformers",
        "matplotlib",
        "structprobe.treebank",
        "structprobe.models",
        "structprobe.encoder",
    },
    "masking": {"structprobe.probe", "structprobe.attention"},
    "stimuli": HEAVY
    | {f"structprobe.{name}" for name in ("results", "models", "encoder", "probe", "attention")}
    | {"structprobe.draw", "structprobe.masking", "structprobe.recoverers"},
    "cli": HEAVY,
}

# The most files of one folder, and the folders that hold one file for each of a growing list.
MOST_FILES = 15  # `__init__.py` included
LISTS = {"cli", "recoverers"}

# The most lines of code of a file: no docstrings, comments or blank lines.
MOST_CODE = 300

# The most parameters of a function, `__init__` aside; what travels together is one dataclass.
MOST_PARAMETERS = 10

SILENT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}

MODULES = sorted(PACKAGE.rglob("*.py"))
ASSETS = sorted([*PACKAGE.rglob("*.js"), *PACKAGE.rglob("*.css")])


def room_of(path: Path) -> str:
    """Name the room a file of the package lies in."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> list[str]:
    """List all modules that a file imports, wherever in it, by full name."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            found.append(node.module)
            if node.module == "structprobe":
                found += [f"structprobe.{alias.name}" for alias in node.names]
    return found


def test_every_folder_is_a_declared_room() -> None:
    here = {room_of(path) for path in MODULES} - {"__init__", "__main__"}
    assert here == set(ROOMS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    room = room_of(path)
    if room in {"__init__", "__main__"}:
        return  # the front door shows all rooms
    allowed = set(ROOMS[: ROOMS.index(room) + 1])
    for name in imports_of(path):
        parts = name.split(".")
        if parts[0] == "structprobe" and len(parts) > 1:
            if name == "structprobe.__version__":
                continue
            assert parts[1] in allowed, f"{room} must not import {name}"
        for banned in FORBIDDEN.get(room, set()):
            assert not f"{name}.".startswith(f"{banned}."), f"{room} must not import {name}"


def files_imported(path: Path) -> set[Path]:
    """List the files of the package that a file imports, be it only for types."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            for name in [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]:
                place = ROOT / name.replace(".", "/")
                found |= {place.with_suffix(".py"), place / "__init__.py"} & set(MODULES)
    return found


def test_no_file_imports_itself_by_way_of_others() -> None:
    # The doors of rooms show what lies behind them, to readers of types alone.
    graph = {
        path: {other for other in files_imported(path) if other.name != "__init__.py"}
        for path in MODULES
        if path.name != "__init__.py"
    }
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_folders_can_be_taken_in_at_a_glance() -> None:
    count = Counter(str(path.parent.relative_to(PACKAGE)) for path in MODULES)
    assert {name: n for name, n in count.items() if n > MOST_FILES and name not in LISTS} == {}


def lines_of_code(source: str) -> int:
    """Count the lines with code, without docstrings, comments and blank lines."""
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in SILENT:
            lines |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            lines -= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return len(lines)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_hold_one_idea(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert lines_of_code(source) <= MOST_CODE, "a second idea in here wants a file of its own"
    assert ast.get_docstring(ast.parse(source)), "the first line says what lives here"


def parameters_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count what a function may be given, without the object that it is a method of."""
    every = node.args
    names = [one.arg for one in (*every.posonlyargs, *every.args, *every.kwonlyargs)]
    more = [one for one in (every.vararg, every.kwarg) if one is not None]
    return len(names) + len(more) - (names[:1] in (["self"], ["cls"]))


def test_functions_take_few_parameters() -> None:
    many = {
        f"{path.relative_to(PACKAGE)}:{node.name}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name != "__init__"
        and parameters_of(node) > MOST_PARAMETERS
    }
    assert many == set()


@pytest.mark.fault_class("strangers")
@pytest.mark.parametrize("path", ASSETS, ids=lambda path: path.name)
def test_pages_make_no_markup_of_data(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert source.count("\n") <= 400
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert way not in source
    assert "://" not in source.replace("http://www.w3.org/2000/svg", ""), "no outside address"


def heavy_after(code: str) -> set[str]:
    """Run `code` in a fresh interpreter and name the heavy packages that it loaded."""
    heavy = {"torch", "transformers", "sklearn", "matplotlib", "scipy"}
    script = f"import sys\n{code}\nprint(*sorted(set(sys.modules) & {heavy!r}))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.splitlines()[-1].split())


def test_import_is_cheap() -> None:
    assert heavy_after("import structprobe; dir(structprobe)") == set()


def test_help_is_cheap() -> None:
    code = (
        "from structprobe.cli.main import main\n"
        "try:\n    main(['--help'])\n"
        "except SystemExit as stop:\n    assert stop.code == 0"
    )
    assert heavy_after(code) == set()


def test_public_names_resolve() -> None:
    import structprobe

    for name in structprobe.__all__:
        assert getattr(structprobe, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Probe'"):
        structprobe.Probe  # noqa: B018 -- the access itself is what is tested
