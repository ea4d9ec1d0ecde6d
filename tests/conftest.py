"""Settings for the whole suite."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# One process runs on each core, so torch's own threads would only get in each other's way. torch reads this
# when it is imported, and the tests' child processes inherit it.
os.environ["OMP_NUM_THREADS"] = "1"

# A shared machine can stop for a while within any example: time says nothing about an example here.
settings.register_profile("cnncli", deadline=None)
settings.load_profile("cnncli")

ROOT = Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files of this folder: their tests are long, and no process waits for them at the end."""
    items.sort(key=lambda item: item.path.parent != ROOT / "tests")


@pytest.fixture(scope="session", autouse=True)
def at_the_root() -> Iterator[None]:
    """Tests type commands as the documents do, at the root of the project, wherever pytest was started."""
    before = Path.cwd()
    os.chdir(ROOT)
    yield
    os.chdir(before)


@pytest.fixture(scope="session", autouse=True)
def without_waiting_for_the_disk() -> Iterator[None]:
    """No test cuts the power, so none waits for the disk; tests of ``fsync`` watch the calls."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(autouse=True)
def on_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages are compared on one line, however long the paths in them; tests of widths set their own."""
    monkeypatch.setenv("COLUMNS", "2000")


@pytest.fixture(autouse=True)
def outside_of_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plug-ins need a permission in CI, where this suite runs too."""
    monkeypatch.delenv("CI", raising=False)


@pytest.fixture(scope="session", autouse=True)
def without_pictures() -> Iterator[None]:
    """Pictures of runs take a quarter of a second and more: the tests that look at them draw them."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("cnncli.training.pictures.curves.drawn", lambda *_: b"<svg/>")
        patched.setattr("cnncli.training.launch.launch.draw_pictures", lambda *_: None)
        yield
