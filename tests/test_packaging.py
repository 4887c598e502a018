"""What is built for a package index: whole, described without a clone, able to run by itself."""

from __future__ import annotations

import ast
import configparser
import email
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections import Counter
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "structprobe"
DATA = ROOT / "data"

SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg", encoding="utf-8")


def listed(text: str) -> list[str]:
    """Give the lines of a value of setup.cfg that are not empty."""
    return text.split()


def test_no_folder_of_the_package_is_left_out() -> None:
    folders = {path.parent.relative_to(ROOT) for path in PACKAGE.rglob("*.py")}
    names = {".".join(folder.parts) for folder in folders} | {"structprobe.data"}
    assert sorted(listed(SETUP["options"]["packages"])) == sorted(names)


def test_no_requirement_is_listed_twice() -> None:
    required = listed(SETUP["options"]["install_requires"])
    extras = SETUP["options.extras_require"]
    for extra in extras:  # one extra is told in another as %(name)s
        lines = [*required, *listed(extras[extra])]
        names = Counter(re.split(r"[<>=!~]", line)[0].lower() for line in lines)
        assert {name for name, n in names.items() if n > 1} == set(), extra


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the files that a clone has, without what running has made beside them."""
    made = [
        PurePosixPath(line.rstrip("/")).name
        for line in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    ]
    folder = tmp_path_factory.mktemp("clone") / "structprobe"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(".git", *made))
    return folder


@pytest.fixture(scope="module")
def built(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the sdist and the wheel, which is built from the sdist."""
    for tool in ("build", "setuptools"):
        pytest.importorskip(tool, reason="the extra test is missing")
    folder = tmp_path_factory.mktemp("dist")
    # Without isolation nothing is fetched.
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(clone)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len([*folder.iterdir()]) == 2
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (path,) = built.glob("*.whl")
    return path


def test_twine_finds_no_fault(built: Path) -> None:
    pytest.importorskip("twine", reason="the extra test is missing")
    command = [sys.executable, "-m", "twine", "check", "--strict", *map(str, built.iterdir())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("PASSED") == 2


def test_the_sdist_has_every_file_of_a_clone(clone: Path, built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        files = {str(PurePosixPath(one.name)) for one in archive if one.isfile()}
    packed = {name.partition("/")[2] for name in files}
    here = {
        path.relative_to(clone).as_posix()
        for path in clone.rglob("*")
        if path.is_file() and "structprobe.egg-info" not in path.parts
    }
    assert here - packed == set()
    more = {name for name in packed - here if not name.startswith("structprobe.egg-info/")}
    assert more <= {"PKG-INFO", "setup.cfg"}


def test_the_wheel_has_every_file_of_the_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    ours = {path.relative_to(ROOT).as_posix() for path in PACKAGE.rglob("*") if path.is_file()}
    data = [*DATA.glob("*.conllu"), *DATA.glob("*/*.conllu"), DATA / "README.md", DATA / "LICENSE"]
    ours |= {f"structprobe/{path.relative_to(ROOT).as_posix()}" for path in data}
    ours |= {"structprobe/data/__init__.py"}
    ours = {name for name in ours if "__pycache__" not in name}
    assert {name for name in names if ".dist-info/" not in name} == ours


def test_all_that_the_wheel_imports_can_be_there(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        sources = [archive.read(name) for name in archive.namelist() if name.endswith(".py")]
    roots = set()
    for node in (node for source in sources for node in ast.walk(ast.parse(source))):
        if isinstance(node, ast.Import):
            roots |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            roots.add(str(node.module).partition(".")[0])
    assert {"structprobe", "torch"} <= roots
    outside = roots - set(sys.stdlib_module_names)
    assert [name for name in sorted(outside) if importlib.util.find_spec(name) is None] == []


def test_the_description_shows_nothing_that_only_a_clone_has(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    assert metadata["Description-Content-Type"] == "text/markdown"
    text = metadata.get_payload(decode=True).decode()
    assert text.startswith("# structprobe\n")
    assert re.findall(r"\]\((?!https?://)[^)]*\)", text) == []
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.count("\n## ") == readme.count("\n## ")
    assert text.count("```") == readme.count("```")


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("minilm")
def test_the_demo_runs_from_the_wheel_alone(wheel: Path, tmp_path: Path) -> None:
    """The packages that it needs are lent; what is imported of ours lies in the environment."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "env"], check=True)
    python = tmp_path / "env" / "bin" / "python"
    home = "import sysconfig; print(sysconfig.get_path('purelib'))"
    own = subprocess.run([python, "-c", home], capture_output=True, text=True, check=True)
    # A path in a .pth file is not read for .pth files itself: no editable structprobe comes along.
    lent = [path for path in sys.path if Path(path).name == "site-packages"]
    (Path(own.stdout.strip()) / "lent.pth").write_text("\n".join(lent))
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    where = "from structprobe import data, errors; print(errors.__file__, data.SAMPLE)"
    run = {"cwd": tmp_path, "env": environment, "capture_output": True, "text": True}
    found = subprocess.run([python, "-c", where], check=True, **run).stdout.split()
    assert [path for path in found if not path.startswith(own.stdout.strip())] == []
    command = [python.with_name("structprobe"), "demo", "--max-steps", "50"]
    done = subprocess.run(command, check=False, **run)
    assert done.returncode == 0, done.stderr
    layers = re.findall(r"^ *probe +(\d)\b", done.stdout, flags=re.MULTILINE)
    assert "UUAS" in done.stdout, done.stdout
    assert layers == list("0123456"), done.stdout
    assert "gold above, recovered below" in done.stdout
