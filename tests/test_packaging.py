"""The wheel is all that is needed: the specs are in it, and their names work from anywhere.

What a package index shows of it needs nothing beside it, and what builds it is pinned to the byte.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from email import message_from_string
from email.message import Message
from importlib.metadata import requires
from pathlib import Path

import pytest

from scripts.long_description import long_description
from tests.specs.support import NAMES

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
BUILD = "build-requirements.txt"


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


def test_the_digits_are_in_it_with_their_license(unpacked: Path) -> None:
    folder = Path("cnncli", "training", "data", "sources", "bundled")
    there = {path.name: path.read_bytes() for path in (unpacked / folder).iterdir()}
    assert there == {path.name: path.read_bytes() for path in (ROOT / folder).iterdir()}
    assert b"creativecommons.org/licenses/by/4.0" in there["README.md"]


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


@pytest.fixture(scope="module")
def metadata(unpacked: Path) -> Message:
    (folder,) = unpacked.glob("*.dist-info")
    return message_from_string((folder / "METADATA").read_text(encoding="utf-8"))


def test_the_metadata_names_who_owns_it(metadata: Message, unpacked: Path) -> None:
    assert metadata["Author"] == "The cnncli authors"
    assert metadata["License-Expression"] == "Apache-2.0 AND CC-BY-4.0"
    (text,) = unpacked.glob("*.dist-info/licenses/LICENSE")
    license_text = text.read_text(encoding="utf-8")
    assert "Copyright 2026 The cnncli authors" in license_text
    assert "[yyyy]" not in license_text


def test_the_description_needs_no_other_file(metadata: Message) -> None:
    text = metadata.get_payload()
    assert isinstance(text, str)
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert text.startswith("# cnncli\n")
    assert re.findall(r"\]\((?!https?:)[^)]*\)", text) == []
    assert "    $ cnncli inspect lenet5\n    lenet5: input 1x32x32\n" in text
    assert re.search(r"^    total +61,706 +416,520", text, re.MULTILINE)
    assert "What is counted is defined in docs/counting.md and" in " ".join(text.split())
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^#+ .*$", text, re.MULTILINE) == re.findall(r"^#+ .*$", readme, re.MULTILINE)


def test_links_become_paths_and_addresses_stay() -> None:
    text = "[a](a) [docs](docs/) [the page](docs/x.md) [out](https://a.b/c) [up](#top) `[1, 2](x)`"
    assert long_description(text) == "a docs/ the page (docs/x.md) [out](https://a.b/c) [up](#top) `1, 2 (x)`"


def pinned(name: str) -> list[str]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_what_builds_the_package_is_pinned_to_the_byte() -> None:
    build = [re.fullmatch(r"(\S+==\S+)((?: --hash=sha256:[0-9a-f]{64})+)", line) for line in pinned(BUILD)]
    assert all(build)
    names = {found[1] for found in build if found is not None}
    assert names <= set(pinned("constraints.txt"))
    assert {name.partition("==")[0] for name in names} >= {"hatchling", "editables"}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f"--require-hashes --no-deps -r {BUILD}" in makefile
    assert makefile.count("-e '") == makefile.count("@$(INSTALL) -e '") == 2
    assert "INSTALL := $(PIP) --no-build-isolation -c constraints.txt" in makefile


def test_the_pins_are_all_that_the_build_needs() -> None:
    names = {re.split(r"[=<>!~ ;\[]", line)[0].lower() for line in pinned(BUILD)}
    todo, needed = ["hatchling", "editables"], set[str]()
    while todo:
        name = todo.pop().lower()
        if name not in needed:
            needed.add(name)
            found = requires(name) or [] if name != "editables" else []
            todo += [re.split(r"[=<>!~ ;\[(]", each)[0] for each in found if ";" not in each]
    assert needed == names
