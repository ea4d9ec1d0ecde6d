"""What ``import cnncli`` offers: the same answers as the command line, as values."""

from __future__ import annotations

import copy
import doctest
import math
import pickle  # noqa: TID251
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

import cnncli
from cnncli.algebra import Expr, summed, symbol
from cnncli.graph import open_spec
from cnncli.language.shipped import specs
from cnncli.layers import KINDS
from cnncli.recipe.data import Data
from cnncli.recipe.losses import CrossEntropy
from cnncli.recipe.optimizers import SGD, AdamW
from cnncli.recipe.schedules import Linear
from cnncli.recipe.tasks import Task

ROOT = Path(__file__).parent.parent
H, W = symbol("H"), symbol("W")
PLUGIN = '''
from cnncli.layers import FromInput, Example, layer


@layer("halving")
class Halving(FromInput):
    """Half of every value."""

    work = 1
    examples = (Example("", ((8, 5, 5),)),)
'''


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_importing_costs_nothing() -> None:
    loaded = (
        "import sys, cnncli; print([m for m in ('yaml', 'torch', 'typer', 'cnncli.api') if m in sys.modules])"
    )
    assert python(loaded) == "[]\n"


def test_figures_need_no_torch() -> None:
    asked = "cnncli.load('vgg16').costs(); cnncli.load('unet').sizes()"
    assert python(f"import sys, cnncli; {asked}; print('torch' in sys.modules)") == "False\n"


def test_every_public_name_is_there() -> None:
    assert dir(cnncli) == sorted(cnncli.__all__)
    assert all(getattr(cnncli, name) is not None for name in cnncli.__all__)
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        cnncli.lod  # noqa: B018


@pytest.mark.slow
def test_the_guide_says_what_happens() -> None:
    found = doctest.testfile(str(ROOT / "docs" / "python.md"), module_relative=False, verbose=False)
    assert found.failed == 0
    assert found.attempted > 20


@pytest.mark.parametrize("name", [*specs()])
def test_rows_are_plain_and_add_up(name: str) -> None:
    arch = cnncli.load(name)
    totals = arch.costs().training_totals
    assert summed(layer.params for layer in arch.layers) == totals.params
    assert [layer.name for layer in arch.layers] == [node.name for node in open_spec(name).graph.nodes]
    assert all(isinstance(value, str | int | tuple) for value in arch.layers[0])


@pytest.mark.parametrize("size", [(3, 64, 48), [3, 64, 48], "3x64x48"])
def test_the_input_can_be_said_in_several_ways(size: object) -> None:
    assert cnncli.load("resnet18", input=size, classes=7).outputs == {"output": (7,)}  # type: ignore[arg-type]


def test_symbols_as_an_input() -> None:
    arch = cnncli.load("resnet18", input="3xHxW")
    assert arch.costs().totals == cnncli.load("resnet18").symbolic().costs().totals
    assert cnncli.load("resnet18", symbolic=True).costs() == arch.costs()


def test_formulas_are_functions() -> None:
    macs = cnncli.load("lenet5", symbolic=True).costs().totals.macs
    assert isinstance(macs, Expr)
    for height, width in ((32, 32), (40, 33), (61, 200)):
        expected = cnncli.load("lenet5", input=(1, height, width)).costs().totals.macs
        assert macs(H=height, W=width) == expected
        assert type(macs(H=np.int32(height), W=width)) is int


def test_formulas_of_arrays_are_exact() -> None:
    sizes = np.array([[16, 32], [64, 10**6]], dtype=np.int32)
    formula = 3 * (H // 2) * W + 1
    assert isinstance(formula, Expr)
    values = formula(H=sizes, W=5)
    assert values.dtype == np.int64
    assert values.tolist() == [[3 * (int(n) // 2) * 5 + 1 for n in row] for row in sizes]


def test_nothing_overflows_silently() -> None:
    formula = H**3
    assert isinstance(formula, Expr)
    values = formula(H=np.array([2, 10**7]))
    assert values.dtype == object
    assert values.tolist() == [8, 10**21]
    assert formula(H=np.array([2**20]))[0] == 2**60


@pytest.mark.parametrize(
    ("sizes", "message"),
    [({}, "no size for H, W"), ({"H": 3}, "no size for W"), ({"H": 1.5, "W": 2}, "H must be a whole number")],
)
def test_wrong_sizes_of_formulas(sizes: dict[str, float], message: str) -> None:
    formula = H * W
    assert isinstance(formula, Expr)
    with pytest.raises(TypeError, match=message):
        formula(**sizes)
    with pytest.raises(TypeError, match="whole numbers, not float64"):
        formula(H=np.array([1.0]), W=1)
    for odd in (1.5, True, "3", None):
        with pytest.raises(TypeError, match="H must be a whole number"):
            formula(H=np.array([2, odd], dtype=object), W=1)
    for size in (0, -4, np.array([3, 0])):
        with pytest.raises(ValueError, match="H must be at least 1"):
            formula(H=size, W=1)


def test_numbers_inside_of_arrays_are_exact_too() -> None:
    formula = H**4
    assert isinstance(formula, Expr)
    assert formula(H=np.array([np.int32(100_000)], dtype=object)).tolist() == [10**20]
    assert formula(H=np.array([np.uint8(200)], dtype=object)).tolist() == [200**4]


def test_labels_of_pandas_do_not_align_sizes() -> None:
    formula = H * W
    assert isinstance(formula, Expr)
    heights, widths = pd.Series([2, 3], index=["a", "b"]), pd.Series([5, 7])
    assert formula(H=heights, W=widths).tolist() == [10, 21]
    with pytest.raises(ValueError, match="broadcast"):
        formula(H=heights, W=pd.Series([1, 2, 3]))


def test_arrays_of_different_shapes_broadcast() -> None:
    formula = H * W + H
    assert isinstance(formula, Expr)
    heights, widths = np.array([[1], [2]]), np.array([1, 2, 3])
    assert formula(H=heights, W=widths).tolist() == [[h * w + h for w in (1, 2, 3)] for h in (1, 2)]
    assert (heights.tolist(), widths.tolist()) == ([[1], [2]], [1, 2, 3])


def test_a_network_of_one_size_has_formulas_too() -> None:
    sized = cnncli.load("unet", input=(1, 572, 572))
    assert sized.sizes() == cnncli.load("unet").sizes()
    assert sized.symbolic().costs().totals == cnncli.load("unet", symbolic=True).costs().totals
    gray = cnncli.load("resnet18", input=(1, 64, 64))
    assert gray.symbolic().input_shape[0] == 1


def test_variables_stay_symbols_when_sizes_become_some() -> None:
    both = cnncli.load("small_resnet").symbolic("width").symbolic()
    assert set(both.graph.unknowns) == {"H", "W", "width"}
    assert set(cnncli.load("small_resnet").symbolic().symbolic("width").graph.unknowns) == {"H", "W", "width"}


def test_sizes_of_numpy_are_sizes() -> None:
    assert cnncli.load("lenet5", input=tuple(np.array([1, 32, 32]))).costs().totals.params == 61_706


def test_an_architecture_is_frozen_and_short() -> None:
    arch = cnncli.load("vgg16")
    with pytest.raises(AttributeError, match="frozen"):
        arch.name = "other"  # type: ignore[misc]
    assert "\n" not in repr(arch)
    assert len(repr(arch)) < 100


def test_the_text_form_is_what_the_command_prints() -> None:
    command = [sys.executable, "-m", "cnncli", "inspect", "lenet5"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"{cnncli.load('lenet5')}\n" == printed


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        del attrs
        self.opened.append(tag)


def test_a_notebook_shows_a_table_that_folds() -> None:
    html = cnncli.load("resnet50")._repr_html_()
    tags = Tags()
    tags.feed(html)
    assert len(html) < 100_000
    assert "details" in tags.opened
    assert "script" not in tags.opened
    assert "prefers-color-scheme" in html


def test_errors_keep_what_helps() -> None:
    with pytest.raises(cnncli.SpecError) as caught:
        cnncli.loads("input: [1, 8, 8]\nlayers: [cnov: 3]", name="net.yaml")
    text = str(caught.value)
    assert text.startswith("net.yaml:2:10: ")
    assert "did you mean 'conv'?" in text


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cnncli.load("vgg99"), "vgg99"),
        (lambda: cnncli.load("lenet5", widht=3), "has no variables"),
        (lambda: cnncli.load("unet", widht=3), "did you mean 'width'"),
        (lambda: cnncli.load("lenet5", input="1x-2"), "'1x-2' is not an input size"),
        (lambda: cnncli.load("lenet5", input=5), "not an input size"),  # type: ignore[arg-type]
        (lambda: cnncli.load("lenet5", input=(1, 32.5, 32)), "not an input size"),  # type: ignore[arg-type]
        (lambda: cnncli.load("lenet5", input=(True, 32, 32)), "not an input size"),
        (lambda: cnncli.load("lenet5", input=b" @@"), "not an input size"),
        (lambda: cnncli.load("lenet5", input={64, 1, 32}), "not an input size"),  # type: ignore[arg-type]
        (lambda: cnncli.load("lenet5", input={1: 0, 32: 0}), "not an input size"),  # type: ignore[arg-type]
        (lambda: cnncli.load("unet", symbolic="width", width=7), "cannot be both set and symbolic"),
        (lambda: cnncli.load("unet").fit(3, params="7M"), "'variables' cannot be"),  # type: ignore[arg-type]
        (lambda: cnncli.load("lenet5").memory(dtype=np.float32), "'dtype' cannot be"),  # type: ignore[arg-type]
        (lambda: cnncli.load("lenet5").check(3), "'budget' cannot be"),  # type: ignore[arg-type]
        (lambda: cnncli.load("lenet5").probe(seed=2**70), "'seed' cannot be"),
        (lambda: cnncli.load("lenet5").probe(weights=3), "'weights' cannot be"),  # type: ignore[arg-type]
        (lambda: cnncli.load("lenet5").module(3), "'device' cannot be"),
        (lambda: cnncli.load("lenet5").module(torch.device("cuda:99")), "no cuda:99"),
        (lambda: cnncli.load("lenet5").train("digits", run=3), "'run' cannot be"),
        (lambda: cnncli.load("lenet5").train("digits", run="a\0b"), "'run' cannot be"),
        (lambda: cnncli.load("lenet5").train(3), "'data' cannot be"),  # type: ignore[arg-type]
        (lambda: cnncli.load("lenet5").train("digits", device=3), "'device' cannot be"),
        (lambda: cnncli.evaluate("nowhere", data=3), "'data' cannot be"),  # type: ignore[arg-type]
        (lambda: cnncli.load("lenet5").memory(optimzer="sgd"), "^<argument>.*did you mean 'optimizer'"),
        (lambda: cnncli.load("unet", width=[]), "^(?!.*--set)"),
        (lambda: cnncli.load("unet").fit(params="7M"), "fit\\(\\) without a variable"),
        (lambda: cnncli.load("lenet5", input=(1, 32, 32), symbolic=True), "every input size is given"),
        (lambda: cnncli.load("lenet5").memory(dtype="int8"), "unknown dtype 'int8'"),
        (lambda: cnncli.load("lenet5").memory(0), "'batch' cannot be"),
        (lambda: cnncli.load("lenet5").memory(1.5), "'batch' cannot be"),  # type: ignore[arg-type]
        (
            lambda: cnncli.load("lenet5").costs(-1),
            "'batch' cannot be -1 .expected a whole number from 1",
        ),
        (lambda: cnncli.load("lenet5").overview("x"), "'batch' cannot be"),  # type: ignore[arg-type]
        (lambda: cnncli.load("lenet5").page(depth=0), "'depth' cannot be"),
        (lambda: cnncli.load("lenet5").nearest_sizes(2.5), "'size' cannot be"),  # type: ignore[arg-type]
        (lambda: cnncli.load("lenet5").probe(0), "'pixels' cannot be"),
        (lambda: cnncli.load("lenet5").probe(samples=0), "'samples' cannot be"),
        (lambda: cnncli.load("lenet5").module("cudaa"), "did you mean 'cuda'"),
        (lambda: cnncli.load("lenet5").check({"parms": 5}), "did you mean 'params'"),
        (lambda: cnncli.load("lenet5").check({"params": "many"}), "limit of params"),
        (lambda: cnncli.load("lenet5").symbolic(3), "'variables' cannot be"),  # type: ignore[arg-type]
        (lambda: cnncli.load(5), "'spec' cannot be"),  # type: ignore[arg-type]
        (lambda: cnncli.loads(None), "'text' cannot be"),  # type: ignore[arg-type]
        (lambda: cnncli.load("unet", overrides=3), "'overrides' cannot be"),  # type: ignore[arg-type]
        (lambda: cnncli.compare([3]), "'files' cannot be"),  # type: ignore[list-item]
        (lambda: cnncli.load("lenet5").memory(optimizer="adamx"), "adamw"),
        (
            lambda: cnncli.load("lenet5").symbolic().page(verification=cnncli.load("lenet5").verify()),
            "a comparison with torch needs numbers",
        ),
        (lambda: cnncli.load("lenet5").symbolic().page(shifts=True), "needs numbers"),
        (lambda: cnncli.evaluate("nowhere"), "nowhere is not a run"),
    ],
)
def test_mistakes(call: object, message: str) -> None:
    with pytest.raises(cnncli.CnncliError, match=message):
        call()  # type: ignore[operator]


@pytest.mark.parametrize("variables", [(), ("width",)], ids=["sizes", "variable"])
@pytest.mark.parametrize(
    "ask",
    [
        lambda arch: arch.fully_connected(),
        lambda arch: arch.receptive_field(),
        lambda arch: arch.shifts(),
        lambda arch: arch.check({"params": "1M"}),
        lambda arch: arch.fit("width", params="1M"),
        lambda arch: arch.module(),
        lambda arch: arch.verify(),
        lambda arch: arch.probe(),
        lambda arch: arch.train("digits"),
        lambda arch: arch.page(receptive_field=True),
    ],
)
def test_what_needs_numbers_says_so_of_symbols(
    ask: Callable[[Any], object], variables: tuple[str, ...]
) -> None:
    arch = cnncli.load("unet").symbolic(*variables)
    symbols = "width" if variables else "H, W"
    with pytest.raises(cnncli.UsageError, match=rf"needs numbers, not formulas .*the symbols {symbols}\)"):
        ask(arch)


def test_variables_of_every_form() -> None:
    text = "vars: {depths: [1, 2], bias: true, w: 3}\ninput: [1, 9, 9]\nlayers: "
    text += "[{conv: {channels: w, kernel: 3, bias: bias}, repeat: 'depths[1]'}]"
    arch = cnncli.loads(text, depths=[1, 3], bias=False, w=5)
    assert len(arch.layers) == 3
    assert all("bias" not in node.parameters for node in arch.graph.nodes)


def test_one_word_needs_no_list() -> None:
    assert cnncli.select("vgg") == cnncli.select(["vgg"])
    assert cnncli.compare("vgg11") == cnncli.compare(["vgg11"])
    wide = cnncli.load("unet", overrides="width=8")
    assert wide == cnncli.load("unet", overrides={"width": 8})
    assert wide.costs() == cnncli.load("unet", width=8).costs()


def test_a_budget_may_be_a_mapping() -> None:
    within, over = cnncli.load("lenet5").check({"params": "62k", "macs": 416_519})
    assert (within.limit, within.within) == (62_000, True)
    assert (over.figure, over.excess) == ("macs", 1)


def test_networks_beside_one_another() -> None:
    small, large = cnncli.compare(["vgg11", "vgg19"], batch=2)
    assert (small.depth, large.depth) == (11, 19)
    assert small.costs.totals.macs < large.costs.totals.macs


def test_memory_is_what_the_command_computes() -> None:
    found = cnncli.load("lenet5").memory(32, optimizer="adamw")
    assert found.settings.optimizer == AdamW()
    assert found.weights == 4 * 61_706
    assert found.memory.state == 2 * found.weights
    fitted = cnncli.load("lenet5").memory(fit_into="1GiB")
    assert fitted.fits is not None
    assert fitted.batch == fitted.fits.training.batch
    assert fitted.fits.training.peak <= 2**30 < fitted.fits.training.next_peak


def test_settings_are_nested_as_in_a_spec(tmp_path: Path) -> None:
    lenet = cnncli.load("lenet5", overrides={"train.optimizer.sgd.lr": 0.2})
    assert lenet.settings.optimizer == SGD(lr=0.2)
    plain = lenet.memory(optimizer={"sgd": {"momentum": np.float32(0)}})
    assert plain.settings.optimizer == SGD(lr=0.2, momentum=0.0)
    assert plain.memory.state == 0
    begun = lenet.begin(
        data={"resize": "pad"},
        run=tmp_path / "run",
        device="cpu",
        optimizer={"sgd": {"nesterov": True}},
        schedule={"linear": {"warmup": 1}},
        tasks={"output": {"cross_entropy": {"smoothing": 0.1}, "weight": 2}},
    )
    found = begun.settings
    assert found.data == Data(source="digits", resize="pad")
    assert found.optimizer == SGD(lr=0.2, nesterov=True)
    assert found.schedule == Linear(warmup=1.0)
    assert found.task("output") == Task(loss=CrossEntropy(smoothing=0.1), weight=2.0)
    assert begun.run.record.settings == found
    with pytest.raises(cnncli.SpecError, match="unknown optimizer 'lr'"):
        lenet.memory(optimizer={"lr": 0.1})


@pytest.mark.parametrize(
    "path", ["folder:/a, b", "folder:/a: b}", "folder:/'a' \"b\"", "folder:/a\nb", "folder:/$a"]
)
def test_any_path_can_be_in_a_mapping(path: str) -> None:
    arch = cnncli.load("lenet5", overrides={"train.data": {"source": path, "resize": "pad"}})
    assert arch.settings.data == Data(source=path, resize="pad")


def test_reprs_are_one_short_line() -> None:
    arch, unet = cnncli.load("resnet50"), cnncli.load("unet")
    memory = arch.memory(8)
    values = [arch, arch.graph, arch.graph.nodes[0], arch.layers[0], arch.costs(), arch.costs().rows[0]]
    values += [memory, memory.memory, memory.training_peak, arch.overview(), arch.settings, arch.page()]
    values += [unet.sizes(), unet.receptive_field()["input"], unet.shifts()["input"], unet.check()[0]]
    lenet = cnncli.load("lenet5")
    values += [lenet.verify(), lenet.probe(1, samples=1), arch.fully_connected()[0], cnncli.specs()[0]]
    values += [arch.graph.source, arch.graph.nodes[0].location, unet.symbolic().graph.bounds[0]]
    lengths = {type(value).__name__: len(repr(value)) for value in values}
    assert max(lengths.values()) < 500, lengths
    assert not any("\n" in repr(value) for value in values)


def test_peaks_are_functions_too() -> None:
    peak = cnncli.load("unet").symbolic().memory(2).training_peak
    sides = [188, 300, 572]
    expected = [cnncli.load("unet", input=(1, side, side)).memory(2).training_peak() for side in sides]
    assert [peak(H=side, W=side) for side in sides] == expected
    assert peak(H=np.array(sides), W=np.array(sides)).tolist() == expected
    with pytest.raises(TypeError, match="no size for W"):
        peak(H=188)


def test_a_module_is_measured_as_its_run_is(tmp_path: Path) -> None:
    lenet = cnncli.load("lenet5")
    run = lenet.train("digits", run=tmp_path / "run", epochs=1, device="cpu").run
    net = lenet.module()
    net.load_state_dict(load_file(run / "weights.safetensors"))
    net.train()
    ours, theirs = lenet.evaluate(net, "digits"), cnncli.evaluate(run, device="cpu")
    # A run is computed in another order of numbers in memory.
    assert ours.figures == pytest.approx(theirs.figures, rel=1e-5)
    assert (ours.evaluation.heads, ours.notes) == (theirs.evaluation.heads, theirs.notes)
    assert lenet.evaluate(torch.nn.Sequential(net)) == lenet.evaluate(net)
    assert net.training


def test_what_evaluate_refuses() -> None:
    lenet = cnncli.load("lenet5")
    broken = lenet.module()
    torch.nn.init.constant_(broken.get_parameter("conv1.weight"), math.nan)
    for module, message in (
        (None, "received NoneType"),
        (lenet.module().half(), "weights of type float16"),
        (lenet.module("meta"), "weights without values"),
        (broken, "outputs of the network are not numbers"),
    ):
        with pytest.raises(cnncli.UsageError, match=message):
            lenet.evaluate(module, "digits")  # type: ignore[arg-type]
    with pytest.raises(cnncli.UsageError, match="not a module of this network"):
        lenet.evaluate(torch.nn.Flatten())
    with pytest.raises(cnncli.UsageError, match="other weights"):
        lenet.evaluate(cnncli.load("lenet5", input=(1, 64, 64)).module(), "digits")
    with pytest.raises(cnncli.UsageError, match="data source"):
        lenet.evaluate(lenet.module(), "digit")


def test_an_architecture_is_a_value() -> None:
    arch = cnncli.load("unet", width=8)
    assert arch == cnncli.load("unet", width=8)
    assert hash(arch) == hash(cnncli.load("unet", width=8))
    assert arch not in (
        cnncli.load("unet"),
        arch.symbolic(),
        cnncli.load("unet", width=8, overrides="train.optimizer.sgd.lr=1"),
    )
    assert copy.copy(arch) is copy.deepcopy(arch) is arch
    with pytest.raises(AttributeError, match="frozen"):
        del arch._opened


@pytest.mark.parametrize(
    "how", [{}, {"symbolic": True}, {"symbolic": "width"}, {"input": (1, 300, 300)}, {"width": 8}]
)
def test_pickled_it_is_the_same_without_its_files(how: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("extends: unet\nbudget: {params: 40M}\n", encoding="utf-8")
    spec = tmp_path / "net.yaml"
    spec.write_text("extends: base.yaml\ntrain: {epochs: 3}\n", encoding="utf-8")
    arch = cnncli.load(spec, **how)
    kept = pickle.dumps(arch)
    spec.write_text("input: [1]\nlayers: [linear: 1]\n", encoding="utf-8")
    again = pickle.loads(kept)  # noqa: S301 - our own
    assert again == arch
    assert again.costs().totals == arch.costs().totals
    assert again.settings.epochs == 3


def test_probe_leaves_the_generator_alone() -> None:
    before = torch.get_rng_state()
    arch = cnncli.load("lenet5")
    assert arch.probe(1, samples=1) == arch.probe(1, samples=1)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_spec_from_a_text_is_not_rewritten(tmp_path: Path) -> None:
    text = "vars: {w: 4}\ninput: [1, 8, 8]\nlayers: [conv: {channels: w, kernel: 3}]"
    new = tmp_path / "new.yaml"
    with pytest.raises(cnncli.UsageError, match="not a file cannot be rewritten"):
        cnncli.loads(text).fit("w", params=500, output=str(new))
    assert not new.exists()


def test_a_plugin_may_be_named_again(tmp_path: Path) -> None:
    plugin = tmp_path / "halving.py"
    plugin.write_text(PLUGIN, encoding="utf-8")
    text = "input: [4]\nlayers: [halving]"
    try:
        first = cnncli.loads(text, plugins=plugin)
        assert first == cnncli.loads(text, plugins=[str(plugin)])
        plugin.write_text(PLUGIN + "\n", encoding="utf-8")
        with pytest.raises(cnncli.UsageError, match="has changed since it was loaded"):
            cnncli.loads(text, plugins=plugin)
    finally:
        KINDS.pop("halving", None)


@pytest.mark.parametrize("name", [3, None, "a b", "in", ""])
def test_a_symbol_needs_a_name(name: Any) -> None:
    with pytest.raises(cnncli.UsageError, match="cannot be"):
        cnncli.symbol(name)
