"""The wheel is all that is needed: the specs are in it, and their names work from anywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.specs.support import NAMES

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the wheel of this tree puts on the path, built without a network."""
    wheels = tmp_path_factory.mktemp("wheels")
    options = ("--no-build-isolation", "--no-deps", "--no-index", "--disable-pip-version-check", "--quiet")
    command = [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", str(wheels), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = wheels.iterdir()
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_every_spec_is_in_the_wheel(unpacked: Path) -> None:
    specs = unpacked / "cnncli" / "specs"
    there = {path.relative_to(specs).with_suffix("").as_posix() for path in specs.rglob("*.yaml")}
    assert there == {*NAMES}
    assert (specs / "vgg" / "vgg16.yaml").read_bytes() == (ROOT / "specs" / "vgg" / "vgg16.yaml").read_bytes()


def test_nothing_but_the_package_is_in_it(unpacked: Path) -> None:
    assert {path.name.partition("-")[0] for path in unpacked.iterdir()} == {"cnncli"}


def test_a_name_works_from_an_empty_folder(unpacked: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cnncli", "inspect", "vgg16", "--format", "json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(unpacked)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["spec"] == str(unpacked / "cnncli" / "specs" / "vgg" / "vgg16.yaml")
    assert document["totals"]["params"] == 138_357_544
