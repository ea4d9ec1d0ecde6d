"""Which files words on a command line mean."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cnncli.diagnostics import UsageError
from cnncli.language.selection import select
from tests.specs.support import SPECS
from tests.steps import at_most


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of empty files, in which one stands."""
    for name in ("net10.yaml", "net9.yml", "net9b.yaml", "sub/net2.yaml", "notes.txt", ".git/config.yaml"):
        path = tmp_path / "nets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(*words: str) -> tuple[str, ...]:
    return select(words).files


def test_a_folder_in_natural_order(here: Path) -> None:
    inside = ("nets/net9.yml", "nets/net9b.yaml", "nets/net10.yaml", "nets/sub/net2.yaml")
    assert files("nets") == files("./nets/") == inside
    assert files(str(here / "nets")) == tuple(str(here / name) for name in inside)


@pytest.mark.usefixtures("here")
def test_names_of_shipped_specs_and_families() -> None:
    family = ("vgg11", "vgg11_lrn", "vgg13", "vgg16", "vgg16_c", "vgg19")
    assert files("vgg") == tuple(str(SPECS / "vgg" / f"{name}.yaml") for name in family)
    assert select(["vgg"]).several
    assert select(["resnet18"]) == (("resnet18",), False)


@pytest.mark.usefixtures("here")
def test_each_file_once_where_it_came_first() -> None:
    assert files("nets/sub/net2.yaml", "nets", "./nets/net9.yml", "nets") == (
        "nets/sub/net2.yaml",
        "nets/net9.yml",
        "nets/net9b.yaml",
        "nets/net10.yaml",
    )
    assert files("vgg16", str(SPECS / "vgg" / "vgg16.yaml"), "vgg16") == ("vgg16",)


def test_a_link_is_the_file_behind_it(here: Path) -> None:
    (here / "also.yaml").symlink_to(here / "nets" / "net10.yaml")
    assert files("also.yaml", "nets/net10.yaml") == ("also.yaml",)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("words", "several"),
    [
        (["nets/net10.yaml"], False),
        (["nets/net10.yaml", "nets/net10.yaml"], True),
        (["nets/sub"], True),
        (["nets/net1*.yaml"], True),
        (["nowhere.yaml"], False),
    ],
)
def test_whether_there_could_be_several(words: list[str], several: bool) -> None:
    assert select(words).several == several
    assert len(select(words).files) == 1


@pytest.mark.usefixtures("here")
def test_patterns() -> None:
    assert files("nets/*.y*ml") == ("nets/net9.yml", "nets/net9b.yaml", "nets/net10.yaml")
    assert files("nets/**/net2*") == ("nets/sub/net2.yaml",)


def test_a_file_with_the_name_of_a_pattern(here: Path) -> None:
    (here / "net[1].yaml").touch()
    assert files("net[1].yaml") == ("net[1].yaml",)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("word", ["nowhere.yaml", "vgg61", "", "a\0b", "x" * 5000])
def test_what_names_nothing_is_kept_for_whoever_opens_it(word: str) -> None:
    assert files(word, "nets/net10.yaml") == (word, "nets/net10.yaml")


def test_a_selection_of_nothing_is_an_error(here: Path) -> None:
    (here / "empty").mkdir()
    for word in ("empty", "nets/*.json", "[q]*"):
        with pytest.raises(UsageError) as caught:
            select(["nets", word])
        assert f"'{word}'" in caught.value.diagnostics[0].message


def test_links_to_folders_are_not_followed_but_broken_ones_are_seen(here: Path) -> None:
    (here / "nets" / "loop.yaml").symlink_to(here)
    (here / "nets" / "broken.yaml").symlink_to(here / "nowhere.yaml")
    os.mkfifo(here / "nets" / "endless.yaml")
    found = files("nets")
    assert "nets/broken.yaml" in found
    assert len(found) == 5


def test_links_to_their_own_folder_do_not_multiply_what_a_pattern_matches(here: Path) -> None:
    for name in ("a", "b"):
        (here / "nets" / name).symlink_to(".")
    every = ("nets/net9b.yaml", "nets/net10.yaml", "nets/sub/net2.yaml")
    with at_most(20_000):
        assert files("nets/**/*.yaml") == files("**/*.yaml") == files("**/**/*.yaml") == every
        assert files("nets/**") == ("nets/net9.yml", *every[:2], "nets/notes.txt", every[2])
    # One level is what a shell follows, too; the files are the same.
    assert files("nets/*/*.yaml") == ("nets/a/net9b.yaml", "nets/a/net10.yaml", "nets/sub/net2.yaml")


def test_patterns_match_what_a_shell_matches(here: Path) -> None:
    assert files("nets/net?.*") == files("./nets/net?.*") == ("nets/net9.yml",)
    assert files(f"{here}/nets/../nets/net?.*") == (f"{here}/nets/../nets/net9.yml",)
    assert files("nets/net[0-9].yml") == ("nets/net9.yml",)
    assert files("n*s/sub/net2.yaml") == files("*/s*/n*2.yaml") == ("nets/sub/net2.yaml",)
    assert files("nets/.g*/*.yaml") == ("nets/.git/config.yaml",)


@pytest.mark.parametrize("word", ["nets", "nets/**/*.yaml", "nets/*.yaml"])
@pytest.mark.usefixtures("here")
def test_files_that_are_looked_at_are_counted(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert files(word)
    monkeypatch.setattr("cnncli.language.files.MAX_ENTRIES", 5)
    with pytest.raises(UsageError, match=r"leads to too many files and folders .*at most 5"):
        select([word])
