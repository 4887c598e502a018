"""Fixtures that the classes of faults share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from faults import mishaps
from support.ud_server import good_files, make_archive, serving
from support.warm import Warm


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    """A process from which those of commands are forked."""
    with serving() as server:
        server.put("UD_Toy-One", make_archive(good_files()))
        warm = Warm()
        warm.setenv("STRUCTPROBE_UD_URL", server.url)
        yield warm
        warm.close()


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory, warm: Warm) -> Path:
    """The folder in which commands run."""
    return mishaps.make_world(tmp_path_factory.mktemp("world"), warm)


@pytest.fixture(scope="session")
def known() -> dict[str, mishaps.Whole]:
    """The commands that were run undisturbed."""
    return {}


@pytest.fixture(scope="module")
def tried() -> set[tuple[str, str]]:
    """The kinds of writes that were tried."""
    return set()
