"""Records inside of records: in short and in long forms, with every mistake shown where it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pytest

from cnncli.diagnostics import Faults, Source, SpecError, listing
from cnncli.language import merging
from cnncli.language.fields import Record, arg
from cnncli.language.nested import ByName, Nested, OneOf
from cnncli.language.parsing import parse
from cnncli.language.readers import Flag, Number, Text
from cnncli.language.scope import Scope
from cnncli.language.tree import Entries
from cnncli.recipe.data import SOURCE_FORMS, Data
from cnncli.recipe.losses import LOSSES
from cnncli.recipe.optimizers import OPTIMIZERS
from cnncli.recipe.schedules import SCHEDULES
from tests.language.support import fault, faults, pointed

NET = "input: [1, 8, 8]\nlayers: [flatten, linear: 10]\n"


class Place(Record):
    """Where it is."""

    keyword = "place"
    member = "setting"

    town: str = arg(Text(), "its town", default="Ulm", main=True)
    floor: float = arg(Number(0), "its floor", default=0.0)


class Pan(Record):
    """A pan, which has a main setting."""

    keyword = "pan"
    member = "setting"

    heat: float = arg(Number(0, 9), "how hot it is", default=5.0, main=True)
    lid: bool = arg(Flag(), "whether it is covered", default=False)


class Oven(Record):
    """An oven, which has none."""

    keyword = "oven"
    member = "setting"

    heat: float = arg(Number(0, 300), "how hot it is", default=180.0)
    grill: bool = arg(Flag(), "whether it grills", default=False)


WAYS: Final[Mapping[str, type[Record]]] = {"pan": Pan, "oven": Oven}


class Meal(Record):
    """A record of records."""

    keyword = "meal"
    member = "setting"

    place: Place = arg(Nested(Place), "where it is eaten", default=Place())
    way: Record = arg(OneOf("way", WAYS), "how it is cooked", default=Pan())
    sides: Mapping[str, Record] = arg(
        ByName(OneOf("way", WAYS), "sides", "rice"), "what is beside it", default={}
    )


MEAL_WITH_SIDES = Meal(sides={"rice": Pan(heat=7.0), "peas": Oven()})


def entries(text: str) -> Entries:
    found = parse(Source("meal.yaml", text), Faults())
    assert isinstance(found, Entries)
    return found


def meal(text: str) -> Meal:
    return Meal.read_entries(entries(text), Scope())


def wrong(text: str) -> tuple[str, str, str]:
    """Message, place and hint of the one mistake in a meal."""
    with pytest.raises(SpecError) as caught:
        meal(text)
    (found,) = caught.value.diagnostics
    return found.message, pointed(found), found.hint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", Meal()),
        ("place: Bonn", Meal(place=Place(town="Bonn"))),
        ("place: {town: Bonn}", Meal(place=Place(town="Bonn"))),
        ("place: {floor: 3}", Meal(place=Place(floor=3.0))),
        ("place: {}", Meal()),
        ("way: pan", Meal()),
        ("way: {pan: }", Meal()),
        ("way: {pan: 7}", Meal(way=Pan(heat=7.0))),
        ("way: {pan: {lid: yes}}", Meal(way=Pan(lid=True))),
        ("way: oven", Meal(way=Oven())),
        ("way: {oven: {heat: 200}}", Meal(way=Oven(heat=200.0))),
        ("sides: {rice: oven, peas: {pan: 2}}", Meal(sides={"rice": Oven(), "peas": Pan(heat=2.0)})),
        ("sides: {}", Meal()),
    ],
)
def test_forms(text: str, expected: Meal) -> None:
    found = meal(text)
    assert found == expected
    assert found.plain() == expected.plain()


def test_plain_values_are_in_the_long_form_and_read_as_the_same() -> None:
    found = Meal(way=Oven(grill=True), sides={"peas": Pan(heat=2.0)})
    assert found.plain() == {
        "place": {"town": "Ulm", "floor": 0.0},
        "way": {"oven": {"heat": 180.0, "grill": True}},
        "sides": {"peas": {"pan": {"heat": 2.0, "lid": False}}},
    }
    assert meal(str(found.plain()).replace("True", "true").replace("False", "false")) == found


@pytest.mark.parametrize(
    ("text", "message", "place", "hint"),
    [
        ("way: oevn", "unknown way 'oevn'", "oevn", "did you mean 'oven'?"),
        ("way: {oevn: {heat: 3}}", "unknown way 'oevn'", "oevn", "did you mean 'oven'?"),
        ("way: {heat: 3}", "unknown way 'heat'", "heat", "{pan: {heat: 3}}"),
        ("way: {grill: yes}", "unknown way 'grill'", "grill", "{oven: {grill: yes}}"),
        ("way: {oven: {}, grill: yes}", "unknown way 'grill'", "grill", "{oven: {grill: yes}}"),
        ("way: {oven: {}, pan: {}}", "'way' cannot be a mapping with oven and pan", "{", ""),
        ("way: {}", "'way' cannot be an empty mapping", "{", ""),
        ("way: [pan]", "'way' cannot be a list of 1", "[", ""),
        ("way: null", "'way' cannot be nothing", "null", ""),
        ("way: {oven: 3}", "'oven' does not accept a bare value", "3", ""),
        ("way: {oven: {lid: yes}}", "'oven' has no setting 'lid'", "lid", ""),
        ("place: {townn: Bonn}", "'place' has no setting 'townn'", "townn", "did you mean 'town'?"),
        ("place: null", "'place' cannot be nothing", "null", ""),
        ("place: [Bonn]", "'place' cannot be a list of 1", "[", ""),
        ("place: {floor: -1}", "'floor' cannot be '-1'", "-1", ""),
        ("sides: oven", "'sides' cannot be 'oven'", "oven", ""),
        ("sides: {rice: oevn}", "unknown way 'oevn'", "oevn", "did you mean 'oven'?"),
        # A key that belongs further inside.
        ("town: Bonn", "'meal' has no setting 'town'", "town", "meal: {place: {town: Bonn}}"),
        ("heat: 3", "'meal' has no setting 'heat'", "heat", "meal: {way: {pan: {heat: 3}}}"),
        ("grill: yes", "'meal' has no setting 'grill'", "grill", "meal: {way: {oven: {grill: yes}}}"),
        ("oven: ", "'meal' has no setting 'oven'", "oven", "meal: {way: {oven: }}"),
    ],
)
def test_mistakes(text: str, message: str, place: str, hint: str) -> None:
    found = wrong(text)
    assert found[:2] == (message, place)
    if hint:
        assert found[2] == hint


def test_what_is_expected() -> None:
    assert {name: each.reader.expected for name, each in Meal.arguments.items()} == {
        "place": "a string, or a mapping of town and floor",
        "way": "pan or oven",
        "sides": "a mapping from sides to pan or oven",
    }


A_TASK = f"{listing([*LOSSES], last=' or ')}, alone or beside weight and target"


def test_what_is_expected_in_a_recipe() -> None:
    for text, expected in (
        ("data: [a]", f"{SOURCE_FORMS}, or a mapping of {listing([*Data.arguments])}"),
        ("optimizer: [a]", listing([*OPTIMIZERS], last=" or ")),
        ("schedule: [a]", listing([*SCHEDULES], last=" or ")),
        ("tasks: [a]", f"a mapping from heads to {A_TASK}"),
        ("tasks: {output: {nothing: {}}}", A_TASK),
    ):
        assert fault(f"{NET}train: {{{text}}}\n").expected == expected


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("lr: 0.1", "train: {optimizer: {sgd: {lr: 0.1}}}"),
        ("learning_rate: 0.1", "train: {optimizer: {sgd: {lr: 0.1}}}"),
        ("momentum: 0.5", "train: {optimizer: {sgd: {momentum: 0.5}}}"),
        ("adamw: {lr: 0.1}", "train: {optimizer: {adamw: ...}}"),
        ("warmup: 2", "train: {schedule: {cosine: {warmup: 2}}}"),
        ("resize: pad", "train: {data: {resize: pad}}"),
        ("weight: 0.3", "train: {tasks: {output: {weight: 0.3}}}"),
        ("smoothing: 0.1", "train: {tasks: {output: {cross_entropy: {smoothing: 0.1}}}}"),
        ("label_smoothing: 0.1", "train: {tasks: {output: {cross_entropy: {smoothing: 0.1}}}}"),
        ("losses: {output: 0.3}", "did you mean 'tasks'?"),
        ("epoch: 3", "did you mean 'epochs'?"),
    ],
)
def test_misplaced_keys_of_a_recipe(text: str, hint: str) -> None:
    assert fault(f"{NET}train: {{{text}}}\n").hint == hint


def test_all_mistakes_inside_are_found_together() -> None:
    recipe = "optimizer: {sgd: {lr: -1, momentum: 2, rate: 3}}, data: {resize: big}"
    found = faults(f"{NET}train: {{{recipe}}}\n")
    assert [pointed(each) for each in found] == ["-1", "2", "rate", "big"]


@pytest.mark.parametrize(
    ("base", "over", "expected"),
    [
        ("way: {pan: {lid: yes}}", "way: {pan: 7}", Meal(way=Pan(heat=7.0, lid=True))),
        ("way: {pan: 7}", "way: {pan: {lid: yes}}", Meal(way=Pan(heat=7.0, lid=True))),
        ("way: {pan: 7}", "way: oven", Meal(way=Oven())),
        ("sides: {rice: {pan: 7}}", "sides: {rice: pan, peas: oven}", MEAL_WITH_SIDES),
        ("sides: {rice: oven, peas: oven}", "sides: {rice: {pan: 7}}", MEAL_WITH_SIDES),
    ],
)
def test_a_bare_value_under_a_name_is_merged(
    base: str, over: str, expected: Meal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(merging._SECTIONS, "meal", Nested(Meal))
    both = merging.merged(entries(base), entries(over), ("meal",))
    assert Meal.read_entries(both, Scope()) == expected
