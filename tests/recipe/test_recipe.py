"""The recipe of ``train:``: read, recorded, and changed by ``--set`` texts."""

from __future__ import annotations

import json

import pytest

from cnncli.diagnostics import CnncliError, UsageError
from cnncli.graph import open_text
from cnncli.recipe.data import SOURCE_FORMS, Data, parse_source
from cnncli.recipe.devices import DEVICE_FORMS
from cnncli.recipe.losses import LOSSES, CrossEntropy, Loss
from cnncli.recipe.optimizers import SGD, AdamW, Optimizer
from cnncli.recipe.penalty import Penalty
from cnncli.recipe.recipe import Recipe, recipe_from_json, with_overrides
from cnncli.recipe.schedules import Constant, Cosine, Linear
from cnncli.recipe.tasks import Task
from tests.language.support import fault, faults, opened, pointed

SPEC = "input: [1, 8, 8]\nlayers: [flatten, linear: 10]\n"
RBF = "input: [1, 12, 7]\nlayers: [flatten, rbf: 10]\n"
HEADS = "input: [1, 8, 8]\nlayers: [flatten]\nheads: {a: [linear: 10], b: [linear: 3]}\n"


def test_the_forms_are_written_out_for_help() -> None:
    assert SOURCE_FORMS.startswith("digits, scenes, idx:DIR, folder:DIR")
    assert DEVICE_FORMS == "auto, cuda, cuda:N, mps or cpu"


@pytest.mark.parametrize(
    ("source", "message", "expected", "hint"),
    [
        ("digitz", "unknown data source 'digitz'", SOURCE_FORMS, "did you mean 'digits'?"),
        ("digits:x", "digits takes no path", "digits", ""),
        ("digits:", "digits takes no path", "digits", ""),
        ("idx", "idx needs a path", "idx:DIR", ""),
        ("npz:", "npz needs a path", "npz:FILE", ""),
    ],
)
@pytest.mark.parametrize("form", ["'%s'", "{source: '%s'}", "{source: '%s', resize: pad}"])
def test_a_wrong_source_is_an_error_with_its_place(
    form: str, source: str, message: str, expected: str, hint: str
) -> None:
    found = fault(f"{SPEC}train: {{data: {form % source}}}\n")
    assert (found.message, found.expected, found.received, found.hint) == (message, expected, source, hint)
    assert found.location is not None
    assert (found.location.line, pointed(found).strip("'")) == (3, source)
    with pytest.raises(UsageError, match=message):
        parse_source(source)


def test_a_path_may_contain_colons() -> None:
    assert parse_source("npz:C:/a:b.npz").path == "C:/a:b.npz"


RECIPES = [
    Recipe(),
    Recipe(data=Data(source="npz:/a $b/${c}.npz", resize="pad"), seed=10**12),
    Recipe(optimizer=SGD(lr=5e-324, momentum=1e-5, nesterov=True, weight_decay=1e30)),
    Recipe(optimizer=SGD(momentum=0.0)),
    Recipe(optimizer=AdamW(lr=1e16), schedule=Linear(warmup=0.1)),
    Recipe(schedule=Constant(warmup=3.0), penalty=Penalty(l1=1e-6)),
    Recipe(tasks={"aux": Task(weight=0.5)}),
    Recipe(tasks={"a": Task(loss=CrossEntropy()), "b": Task(loss=CrossEntropy(smoothing=0.1), weight=0.0)}),
]


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_survives_json(recipe: Recipe) -> None:
    assert recipe_from_json(json.loads(json.dumps(recipe.plain()))) == recipe


def test_json_has_the_form_of_a_spec() -> None:
    tasks = {"a": Task(loss=CrossEntropy(smoothing=0.1)), "b": Task(weight=2.0)}
    recipe = Recipe(data=Data(resize="pad"), tasks=tasks, schedule=Linear(warmup=2.0))
    expected = {
        "data": {"source": "digits", "resize": "pad", "limit": 1.0, "skip": 0.01, "margin": 0},
        "epochs": 10,
        "batch": 128,
        "seed": 0,
        "tasks": {
            "a": {
                "cross_entropy": {"smoothing": 0.1, "weights": "equal"},
                "weight": 1.0,
            },
            "b": {"weight": 2.0},
        },
        "optimizer": {
            "sgd": {"lr": 0.05, "weight_decay": 5e-4, "momentum": 0.9, "nesterov": False, "fused": "auto"}
        },
        "schedule": {"linear": {"warmup": 2.0, "warmup_from": 0.0, "floor": 0.0}},
    }
    found = recipe.plain()
    unset = ("flops", "start", "resolution", "stop", "clip", "average")  # which are left out
    assert [*found] == [name for name in Recipe.arguments if name not in unset]
    assert {name: found[name] for name in expected} == expected


def test_settings_that_were_not_recorded_have_their_defaults() -> None:
    assert recipe_from_json({"optimizer": {"sgd": {"lr": 0.25}}}) == Recipe(optimizer=SGD(lr=0.25))
    assert recipe_from_json({}) == Recipe()


def test_unknown_settings_are_errors() -> None:
    with pytest.raises(CnncliError, match="'train' has no setting 'epoch'"):
        recipe_from_json({"epoch": 1})
    with pytest.raises(CnncliError, match="'sgd' has no setting 'lrr'"):
        recipe_from_json({"optimizer": {"sgd": {"lrr": 1}}})


def test_settings_are_changed_by_texts() -> None:
    before = Recipe(
        epochs=3, data=Data(source="npz:/a $b.npz", resize="pad"), tasks={"aux": Task(weight=0.5)}
    )
    texts = (
        "train.epochs=4",
        " train . optimizer.sgd . lr = 1e-3",
        "train.optimizer.sgd.nesterov=yes",
        "train.tasks.main.weight=2",
    )
    changes = {
        "epochs": 4,
        "optimizer": SGD(lr=1e-3, nesterov=True),
        "tasks": {"aux": Task(weight=0.5), "main": Task(weight=2.0)},
    }
    assert with_overrides(before, texts) == before.replaced(changes)
    assert with_overrides(before, ()) == before


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("nesterov: true, momentum: 0", "true", "'nesterov' needs momentum"),
        ("lr: 1e300", "1e300", "'lr' cannot be '1e300'"),
        ("lr: 0", "0", "'lr' cannot be '0'"),
        ("weight_decay: 1e37", "1e37", "'weight_decay' cannot be '1e37'"),
    ],
)
def test_settings_that_torch_cannot_use(text: str, place: str, message: str) -> None:
    found = fault(f"{SPEC}train: {{optimizer: {{sgd: {{{text}}}}}}}\n")
    assert found.message.startswith(message)
    assert found.location is not None
    assert (found.location.line, pointed(found)) == (3, place)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", SGD()),
        ("optimizer: sgd", SGD(lr=0.05, weight_decay=5e-4, momentum=0.9, nesterov=False)),
        ("optimizer: {sgd: }", SGD()),
        ("optimizer: {sgd: {momentum: 0.5}}", SGD(momentum=0.5)),
        ("optimizer: adamw", AdamW(lr=1e-3, weight_decay=0.01)),
        ("optimizer: {adamw: {lr: 0.02}}", AdamW(lr=0.02)),
    ],
)
def test_defaults_are_those_of_the_optimizer(text: str, expected: Optimizer) -> None:
    found = open_text(f"{SPEC}train: {{{text}}}\n").train
    assert found.optimizer == expected
    assert recipe_from_json(json.loads(json.dumps(found.plain()))) == found


def test_schedules_have_their_own_warmup() -> None:
    found = open_text(f"{SPEC}train: {{schedule: {{linear: {{warmup: 1.5}}}}}}\n").train
    assert found.schedule == Linear(warmup=1.5)
    assert open_text(SPEC).train.schedule == Cosine(warmup=0.0)


def test_the_first_label_survives_json() -> None:
    found = open_text(f"{SPEC}train: {{data: {{source: 'npz:x', first_label: 1}}}}\n").train
    assert found.data.first_label == 1
    assert recipe_from_json(json.loads(json.dumps(found.plain()))) == found


def test_data_is_a_source_or_a_mapping() -> None:
    for text, expected in (
        ("digits", Data()),
        ("{source: 'idx:a'}", Data(source="idx:a")),
        ("{resize: pad}", Data(resize="pad")),
    ):
        assert open_text(f"{SPEC}train: {{data: {text}}}\n").train.data == expected


@pytest.mark.parametrize("name", ["momentum", "nesterov"])
def test_a_setting_that_the_optimizer_does_not_have(name: str) -> None:
    found = fault(f"{SPEC}train: {{optimizer: {{adamw: {{{name}: 0}}}}}}\n")
    assert found.message == f"'adamw' has no setting '{name}'"
    assert pointed(found) == name


def test_an_unknown_optimizer_is_the_only_error() -> None:
    found = fault(f"{SPEC}train: {{optimizer: {{adamx: {{momentum: 0.9}}}}}}\n")
    assert (found.message, found.hint) == ("unknown optimizer 'adamx'", "did you mean 'adam'?")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: cross_entropy", Task(loss=CrossEntropy())),
        ("a: {cross_entropy: }", Task(loss=CrossEntropy())),
        ("a: {cross_entropy: {smoothing: 0.1}}", Task(loss=CrossEntropy(smoothing=0.1))),
        ("a: {weight: 0.3}", Task(weight=0.3)),
        (
            "a: {weight: 0.3, cross_entropy: {smoothing: 1}}",
            Task(loss=CrossEntropy(smoothing=1.0), weight=0.3),
        ),
        ("a: {}", Task()),
        ("", Task()),
    ],
)
def test_what_a_head_learns(text: str, expected: Task) -> None:
    assert open_text(f"{HEADS}train: {{tasks: {{{text}}}}}\n").train.task("a") == expected


@pytest.mark.parametrize(
    ("tasks", "place", "message", "hint"),
    [
        ("{c: cross_entropy}", "c", "the network has no head 'c'", ""),
        ("{a: crossentropy}", "crossentropy", "unknown loss 'crossentropy'", "did you mean 'cross_entropy'?"),
        ("{a: {weigh: 2}}", "weigh", "a task has no 'weigh'", "did you mean 'weight'?"),
        ("{a: {weights: 2}}", "weights", "a task has no 'weights'", "{cross_entropy: {weights: 2}}"),
        ("{a: {cross_entropy: {weights: []}}}", "[", "'weights' cannot be an empty list", ""),
        ("{a: {cross_entropy: {weights: [0, 0]}}}", "[", "'weights' cannot be a list of 2", ""),
        ("{a: {cross_entropy: {weights: equally}}}", "equally", "'weights' cannot be 'equally'", ""),
        ("{a: {cross_entropy: {weights: [1, -1]}}}", "-1", "'weights' cannot be '-1'", ""),
        (
            "{a: {smoothing: 0.1}}",
            "smoothing",
            "a task has no 'smoothing'",
            "{cross_entropy: {smoothing: 0.1}}",
        ),
        ("{a: {weight: -1}}", "-1", "'weight' cannot be '-1'", ""),
        ("{a: {cross_entropy: {smoothing: 2}}}", "2", "'smoothing' cannot be '2'", ""),
        ("{a: 0.3}", "0.3", "unknown loss '0.3'", ""),
        ("[a]", "[", "'tasks' cannot be a list of 1", ""),
    ],
)
def test_wrong_tasks(tasks: str, place: str, message: str, hint: str) -> None:
    found = fault(f"{HEADS}train: {{tasks: {tasks}}}\n")
    assert (found.message, pointed(found)) == (message, place)
    if hint:
        assert found.hint == hint


def test_loss_and_weight_are_checked_together() -> None:
    found = faults(f"{HEADS}train: {{tasks: {{a: {{weight: -1, cross_entropy: {{smoothing: 2}}}}}}}}\n")
    assert sorted(map(pointed, found)) == ["-1", "2"]


class Other(Loss):
    """Another loss of classes, so that there are two."""

    keyword = "other"
    accepts = ("class",)


def test_a_head_has_one_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LOSSES, "other", Other)
    text = f"{HEADS}train: {{tasks: {{a: {{cross_entropy: {{smoothing: 0.1}}, weight: 2}}}}}}\n"
    # Another name replaces the first, and the weight beside it remains.
    assert opened(text, "train.tasks.a=other").train.task("a") == Task(loss=Other(), weight=2.0)
    found = fault(f"{HEADS}train: {{tasks: {{a: {{cross_entropy: , other: }}}}}}\n")
    assert found.message == "'a' cannot be a mapping with cross_entropy and other"


def test_a_loss_that_the_layers_exclude() -> None:
    found = fault(f"{RBF}train: {{tasks: {{output: cross_entropy}}}}\n")
    assert found.message == "the network is not trained with cross_entropy"
    assert found.expected.startswith("no loss: its layers determine it, distances")
    assert (pointed(found), found.received) == ("output", "cross_entropy")
    assert open_text(f"{RBF}train: {{tasks: {{output: {{weight: 2}}}}}}\n").train.task("output").weight == 2


def test_all_errors_of_a_recipe_are_found_at_once() -> None:
    text = "train: {epochs: 0, optimizer: {sgd: {lr: 0, momentum: 2}}, schedule: none, tasks: {output: huge}}"
    found = [each.message for each in faults(f"{SPEC}{text}\n")]
    assert found == [
        "'epochs' cannot be '0'",
        "'lr' cannot be '0'",
        "'momentum' cannot be '2'",
        "unknown schedule 'none'",
        "unknown loss 'huge'",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train.optimizer.sgd.nesterov=1", "'nesterov' cannot be '1'"),
        ("train.epochs=0", "'epochs' cannot be '0'"),
        ("train.epoch=5", "'train' has no setting 'epoch'"),
        ("train.lr=0.1", "'train' has no setting 'lr'"),
        ("train.optimizer.sgd.lr=fast", "unknown name 'fast'"),
        ("train.optimizer.sgd.lr", "no value is given"),
        ("train.optimizer.sgd.lr=", "no value is given"),
        ("epochs=5", "not a setting of 'train'"),
        ("budget.params=5", "not a setting of 'train'"),
        ("train=5", "not a setting of 'train'"),
        ("train.optimizer.sgd.lr.x=5", "'train.optimizer.sgd.lr' is not a mapping"),
    ],
)
def test_wrong_texts(text: str, message: str) -> None:
    with pytest.raises(CnncliError, match=message):
        with_overrides(Recipe(), (text,))


def test_a_wrong_value_is_marked_in_its_option() -> None:
    with pytest.raises(CnncliError) as caught:
        with_overrides(Recipe(), ("train.epochs=0",))
    location = caught.value.diagnostics[0].location
    assert location is not None
    assert (location.source.name, location.column) == ("--set", len("train.epochs=") + 1)
