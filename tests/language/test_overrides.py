"""``--set``: values for variables, and for settings by their path."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnncli.diagnostics import SpecError, UsageError
from cnncli.graph import open_spec, open_text
from cnncli.language.writer import to_yaml
from cnncli.recipe.optimizers import SGD
from cnncli.recipe.transforms import Crop, Flip, Rotate
from tests.language.support import fault, faults, kinds, layer, opened, pointed, rendered, under

CONV = "layers: [conv: {channels: %s, kernel: 1}]"
PLAIN = "layers: [flatten, linear: 10]\n"
TRAINED = PLAIN + "train: {optimizer: {sgd: {lr: 0.5}}, epochs: 3}\n"
RATE = "train.optimizer.sgd.lr"
HEADS = "layers: [flatten]\nheads: {digit: [linear: 10], parity: [linear: 2]}\n"


def weights(text: str, *overrides: str) -> dict[str, float]:
    return {name: task.weight for name, task in opened(text, *overrides).train.tasks.items()}


def channels(text: str, variables: str = "{}", *overrides: str) -> object:
    return layer(f"vars: {variables}\n{CONV % text}", *overrides).output_shape[0]


class TestVariables:
    def test_numbers_words_and_lists(self) -> None:
        assert channels("a", "{a: 1}", "a=5") == 5
        assert channels("a*2", "{a: 1}", "a = 5 ") == 10
        assert channels("'a[1]'", "{a: [1]}", "a=[3, 7]") == 7
        assert channels("a", "{a: 1, b: 4}", "a=b+1") == 5
        assert kinds(
            "vars: {act: relu}\nlayers: [conv: {channels: 1, kernel: 1, activation: $act}]", "act=tanh"
        ) == [
            "conv",
            "tanh",
        ]

    def test_the_last_one_counts(self) -> None:
        assert channels("a", "{a: 1}", "a=5", "a=6") == 6

    def test_an_equals_sign_in_the_value(self) -> None:
        assert channels("2 if a else 3", "{a: true}", "a=1 == 2") == 3

    @pytest.mark.parametrize(
        ("override", "message"),
        [
            ("widht=3", "--set widht=3: net.yaml has no variable 'widht'"),
            ("width", "--set width: no value is given"),
            ("=3", "--set =3: not the name of a variable or a setting"),
            ("width=", "--set width=: no value is given"),
            ("", "--set : not the name of a variable or a setting"),
        ],
    )
    def test_what_is_wrong_on_the_command_line(self, override: str, message: str) -> None:
        with pytest.raises(UsageError) as caught:
            opened("vars: {width: 1}\nlayers: [relu]", override)
        assert caught.value.diagnostics[0].message == message

    def test_the_nearest_variable(self) -> None:
        with pytest.raises(UsageError) as caught:
            opened("vars: {width: 1}\nlayers: [relu]", "widht=3")
        assert caught.value.diagnostics[0].hint == "did you mean 'width'?"

    def test_a_spec_without_variables(self) -> None:
        with pytest.raises(UsageError, match=r"net\.yaml has no variables"):
            opened("layers: [relu]", "a=3")

    @pytest.mark.parametrize(
        ("override", "column"), [("a=[1, {", 8), ("a=0", 3), ("a=  x", 5), ("a=[1, 2", 8)]
    )
    def test_a_wrong_value_is_pointed_at_on_the_command_line(self, override: str, column: int) -> None:
        found = fault(f"vars: {{a: 1}}\n{CONV % 'a'}", override)
        if found.code != "value":
            assert str(found.location) == f"--set:1:{column}"
        else:
            assert found.received.startswith("'a' (which is")


class TestSettings:
    @pytest.mark.parametrize("text", [PLAIN, TRAINED], ids=["no section", "a section"])
    def test_settings_by_path(self, text: str) -> None:
        nesterov = "train.optimizer.sgd.nesterov=yes"
        train = opened(text, f"{RATE}=0.25", "train.optimizer=sgd", nesterov, "train.batch=8").train
        assert (train.optimizer, train.batch) == (SGD(lr=0.25, nesterov=True), 8)

    def test_other_settings_stay(self) -> None:
        assert opened(TRAINED, f"{RATE}=0.25").train.epochs == 3

    def test_beside_variables(self) -> None:
        found = opened(f"vars: {{a: 1}}\n{CONV % 'a'}", f"{RATE}=0.1", "a=3", "train.batch=8")
        assert (found.train.optimizer.lr, found.graph.nodes[0].output_shape[0], found.train.batch) == (
            0.1,
            3,
            8,
        )

    def test_the_last_one_counts(self) -> None:
        assert opened(TRAINED, f"{RATE}=0.1", f"{RATE}=0.2").train.optimizer.lr == 0.2

    def test_blanks(self) -> None:
        assert opened(TRAINED, " train . optimizer .sgd. lr =  0.1 ").train.optimizer.lr == 0.1

    def test_an_expression_over_variables(self) -> None:
        assert opened("vars: {n: 4}\n" + PLAIN, "train.epochs=n * 2", "n=5").train.epochs == 10

    def test_budgets(self) -> None:
        assert opened(PLAIN, "budget.params=1M").budget.params == 1_000_000

    def test_a_nested_path(self) -> None:
        assert weights(HEADS, "train.tasks.digit.weight=0.5") == {"digit": 0.5}
        text = HEADS + "train: {tasks: {digit: {weight: 3}, parity: {weight: 2}}}"
        assert weights(text, "train.tasks.digit.weight=0.5") == {"digit": 0.5, "parity": 2.0}

    def test_a_mapping_is_merged_into_a_mapping(self) -> None:
        text = HEADS + "train: {tasks: {parity: {weight: 2}}}"
        digit = "train.tasks={digit: {weight: 1}}"
        assert weights(text, digit) == {"digit": 1.0, "parity": 2.0}
        assert weights(text, digit, "train.tasks.digit.weight=4") == {"digit": 4.0, "parity": 2.0}

    @pytest.mark.parametrize("path", ["folder:/data/a$b", "folder:/$lr/$$x", "npz:${HOME}.npz"])
    @pytest.mark.parametrize("quote", ["", "'", '"'])
    def test_a_dollar_sign_stays(self, path: str, quote: str) -> None:
        found = opened("vars: {lr: 1}\n" + PLAIN, f"train.data={quote}{path}{quote}")
        assert found.train.data.source == path
        assert open_text(to_yaml(found.document)).train.data.source == path

    def test_after_extends(self, tmp_path: Path) -> None:
        recipe = "train: {optimizer: {sgd: {lr: 0.5, momentum: 0.1}}, epochs: 3}"
        (tmp_path / "base.yaml").write_text(f"input: [4]\nlayers: [linear: 2]\n{recipe}\n")
        (tmp_path / "net.yaml").write_text("extends: base.yaml\ntrain: {optimizer: {sgd: {lr: 0.4}}}\n")
        train = open_spec(tmp_path / "net.yaml", overrides=[f"{RATE}=0.3"]).train
        assert (train.optimizer, train.epochs) == (SGD(lr=0.3, momentum=0.1), 3)


class TestItemsOfLists:
    LIST = PLAIN + "train: {transforms: [crop, rotate: 15]}\n"

    @pytest.mark.parametrize(
        ("override", "transforms"),
        [
            ("train.transforms.1.rotate.degrees=20", ["crop", Rotate(degrees=20)]),
            ("train.transforms.1.rotate=20", ["crop", Rotate(degrees=20)]),
            ("train.transforms.0.crop.fill=1", [Crop(fill=1), "rotate"]),
            ("train.transforms.0=flip", [Flip(), "rotate"]),
            ("train.transforms.0.flip.p=1", [Flip(p=1), "rotate"]),
            ("train . transforms . 1 . rotate = {fill: 0.5}", ["crop", Rotate(degrees=15, fill=0.5)]),
        ],
    )
    def test_an_item_by_its_number(self, override: str, transforms: list[object]) -> None:
        own = {"crop": Crop(), "rotate": Rotate(degrees=15)}
        expected = [own.get(each, each) if isinstance(each, str) else each for each in transforms]
        assert [*opened(self.LIST, override).train.transforms] == expected

    def test_one_after_the_other(self) -> None:
        whole, item = "train.transforms=[flip, crop]", "train.transforms.1.crop.padding=1"
        assert [*opened(PLAIN, whole, item).train.transforms] == [Flip(), Crop(padding=1)]

    @pytest.mark.parametrize(
        ("override", "pointed_at", "expected", "hint"),
        [
            ("2=flip", "transforms", "the number of an item, 0 to 1", "'train.transforms=[...]' replaces"),
            ("-1=flip", "transforms", "the number of an item, 0 to 1", "'train.transforms=[...]' replaces"),
            ("01=flip", "transforms", "the number of an item, 0 to 1", "'train.transforms=[...]' replaces"),
            ("rotate.fill=1", "transforms", "0 to 1", "did you mean 'train.transforms.1.rotate.fill'?"),
            ("crop.fill=1", "transforms", "0 to 1", "did you mean 'train.transforms.0.crop.fill'?"),
            ("1.rotate.degrees.x=1", "degrees", "a mapping", ""),
        ],
    )
    def test_what_is_not_an_item(self, override: str, pointed_at: str, expected: str, hint: str) -> None:
        found = fault(self.LIST, f"train.transforms.{override}")
        assert pointed(found) == pointed_at
        assert expected in found.expected
        assert found.hint.startswith(hint)

    def test_a_list_that_is_not_there(self) -> None:
        found = fault(PLAIN, "train.transforms.0.crop.fill=1")
        assert found.message == "'transforms' cannot be a mapping with 0"
        assert found.hint == "only an item of a list that the spec has can be set by its number"
        found = fault(PLAIN + "train: {transforms: []}\n", "train.transforms.0=flip")
        assert (found.message, found.received) == ("'train.transforms' is a list", "an empty list")

    def test_a_wrong_value_is_pointed_at(self) -> None:
        found = fault(self.LIST, "train.transforms.1.rotate.fill=2")
        assert (str(found.location), pointed(found)) == ("--set:1:32", "2")


class TestWrongSettings:
    def test_a_wrong_value_has_a_caret_on_the_command_line(self) -> None:
        assert rendered(TRAINED, f"{RATE}=fast").splitlines()[1:3] == [
            "    1 | train.optimizer.sgd.lr=fast",
            "      |                        ^^^^",
        ]

    @pytest.mark.parametrize(
        ("override", "column"),
        [(f"{RATE}= -1", 25), (f"{RATE}=[1, {{", 29), ("train.tasks={digit: {weight: -1}}", 30)],
    )
    def test_the_place_of_a_wrong_value(self, override: str, column: int) -> None:
        assert str(fault(HEADS, override).location) == f"--set:1:{column}"

    def test_an_unknown_setting(self) -> None:
        found = fault(TRAINED, "train.epoch=3")
        assert (pointed(found), found.hint) == ("epoch", "did you mean 'epochs'?")

    @pytest.mark.parametrize(
        ("override", "hint"),
        [
            ("trian.lr=1", "did you mean 'train'?"),
            ("layers.x=1", "sections with settings: train, pretrain, budget"),
            ("vars.a=1", "sections with settings: train, pretrain, budget"),
        ],
    )
    def test_an_unknown_section(self, override: str, hint: str) -> None:
        with pytest.raises(UsageError, match="is not a section with settings") as caught:
            opened(TRAINED, override)
        assert caught.value.diagnostics[0].hint == hint

    def test_a_path_into_a_number(self) -> None:
        found = fault(TRAINED, f"{RATE}.x=1")
        assert found.message == f"'{RATE}' is not a mapping"
        assert (pointed(found), found.expected, found.received) == ("lr", "a mapping", "'0.5'")
        assert [under(each.location) for each in found.related] == ["0.5"]

    def test_a_path_into_what_is_not_set(self) -> None:
        assert "'lr' cannot be a mapping with x" in fault(PLAIN, f"{RATE}.x=1").message

    @pytest.mark.parametrize("override", ["train.=1", ".lr=1", "train..lr=1", "train. =1", ".=1"])
    def test_a_malformed_path(self, override: str) -> None:
        with pytest.raises(UsageError, match="not the name of a variable or a setting"):
            opened(TRAINED, override)

    @pytest.mark.parametrize("override", ["train.lr=", "train.lr", "train.lr= "])
    def test_no_value(self, override: str) -> None:
        with pytest.raises(UsageError, match="no value is given"):
            opened(TRAINED, override)

    def test_a_fault_of_the_file_points_at_the_file(self) -> None:
        found = fault(PLAIN + "train: {epochs: 0}", f"{RATE}=0.1")
        assert (str(found.location), pointed(found)) == ("net.yaml:3:17", "0")

    def test_faults_of_file_and_options_come_together(self) -> None:
        found = faults(PLAIN + "train: {epochs: 0}", f"{RATE}=x", "train.batch=y", "train.nothing=1")
        assert {str(each.location).partition(":")[0] for each in found} == {"--set", "net.yaml"}
        assert len(found) == 4

    def test_a_repeated_key(self) -> None:
        with pytest.raises(SpecError, match="given twice"):
            opened(HEADS, "train.tasks={digit: {weight: 1}, digit: {weight: 2}}")
