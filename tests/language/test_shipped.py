"""Names of shipped specs: one rule for what a bare word means, wherever it is typed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from cnncli.diagnostics import SpecError, UsageError
from cnncli.graph import open_spec
from cnncli.language import shipped
from tests.specs.support import NAMES, SPECS


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which nothing lies."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def hint(word: str) -> str:
    with pytest.raises(UsageError) as caught:
        open_spec(word)
    (fault,) = caught.value.diagnostics
    what = "file" if "." in word else "file or shipped spec"
    assert fault.message == f"no such {what}: '{Path(word)}'"
    return fault.hint


def test_every_file_has_a_name_of_its_own() -> None:
    assert Counter(name.rpartition("/")[2] for name in NAMES) == Counter(list(shipped.specs()))
    assert {path.relative_to(SPECS).with_suffix("").as_posix() for path in shipped.specs().values()} == {
        *NAMES
    }


def test_names_are_words() -> None:
    for name in (*shipped.specs(), *shipped.families()):
        assert Path(name).suffix == ""
        assert "/" not in name


def test_no_family_is_called_as_a_spec() -> None:
    assert {"inception", "vgg", "resnet", "lecture"} <= shipped.families().keys()
    assert not shipped.families().keys() & shipped.specs().keys()


def test_a_name_is_a_spec_from_anywhere(elsewhere: Path) -> None:
    assert not list(elsewhere.iterdir())
    assert open_spec("vgg16").graph.name == "vgg16"
    assert shipped.find("vgg16") == SPECS / "vgg" / "vgg16.yaml"
    assert shipped.find("vgg") == SPECS / "vgg"
    assert shipped.find("alexnet") == SPECS / "alexnet.yaml"


@pytest.mark.parametrize("make", [Path.touch, lambda path: path.symlink_to("nowhere")])
def test_a_file_here_takes_precedence(elsewhere: Path, make: Callable[[Path], object]) -> None:
    make(elsewhere / "vgg16")
    assert shipped.find("vgg16") is None
    assert shipped.located("vgg16") == Path("vgg16")


def test_a_folder_here_hides_a_family_but_no_spec(elsewhere: Path) -> None:
    (elsewhere / "lenet5").mkdir()  # as `cnncli train lenet5 --run lenet5` leaves it
    assert open_spec("lenet5").graph.name == "lenet5"
    (elsewhere / "vgg").mkdir()
    assert shipped.find("vgg") is None


@pytest.mark.parametrize("word", ["vgg16.yaml", "./vgg16.yaml", "nets/vgg16.yml"])
@pytest.mark.usefixtures("elsewhere")
def test_the_file_of_a_shipped_spec_is_not_here_but_its_name_is(word: str) -> None:
    assert hint(word) == "'vgg16' without a suffix is the shipped spec"


def test_a_link_that_leads_nowhere_is_said_to(elsewhere: Path) -> None:
    (elsewhere / "net.yaml").symlink_to("nowhere.yaml")
    with pytest.raises(UsageError, match=r"'net.yaml' is a link to a file that does not exist"):
        open_spec("net.yaml")


def test_a_spec_may_extend_one_that_ships(elsewhere: Path) -> None:
    (elsewhere / "mine.yaml").write_text("extends: resnet18\nvars: {classes: 10}\n")
    opened = open_spec("mine.yaml")
    assert opened.graph.name == "mine"
    assert opened.graph.outputs["output"].shape == (10,)


@pytest.mark.parametrize("base", ["resnet81", "vgg", "/etc/resnet18.yaml", "resnet18.txt"])
def test_what_cannot_be_extended(elsewhere: Path, base: str) -> None:
    (elsewhere / "mine.yaml").write_text(f"extends: {base}\n")
    with pytest.raises(SpecError, match=f"cannot extend '{base}'"):
        open_spec("mine.yaml")


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("word", ["", ".", "..", "./vgg16", "vgg16/", "vgg/vgg16", "vgg16.yaml", "x/vgg16"])
def test_what_is_not_a_name(word: str) -> None:
    assert shipped.find(word) is None
    with pytest.raises(UsageError):
        open_spec(word)


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize(
    ("word", "meant"),
    [("vgg61", "vgg16"), ("VGG16", "vgg16"), ("alexnt", "alexnet"), ("lectur", "lecture")],
)
def test_a_misspelled_name(word: str, meant: str) -> None:
    assert hint(word) == f"did you mean '{meant}'?"


def test_a_file_beside_it_may_be_meant_as_well(elsewhere: Path) -> None:
    (elsewhere / "mynet.yaml").touch()
    assert hint("mynet") == "did you mean 'mynet.yaml'?"


@pytest.mark.usefixtures("elsewhere")
def test_a_name_like_no_other() -> None:
    assert hint("zzzzzzzzzz") == "'cnncli specs' lists the shipped specs"


@pytest.mark.usefixtures("elsewhere")
def test_a_family_is_not_one_spec() -> None:
    with pytest.raises(UsageError) as caught:
        open_spec("vgg")
    (fault,) = caught.value.diagnostics
    assert fault.message == "'vgg' is a family of specs"
    assert fault.hint == "specs of this family: vgg11, vgg11_lrn, vgg13, vgg16, vgg16_c, vgg19"


def test_a_link_to_a_shipped_spec_is_a_file(elsewhere: Path) -> None:
    (elsewhere / "mine.yaml").symlink_to(SPECS / "vgg" / "vgg16.yaml")
    assert open_spec("mine.yaml").graph.nodes[0].name == "features.0"
