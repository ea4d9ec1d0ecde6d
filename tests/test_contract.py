"""What every kind of layer promises, compared with torch: a walk over the registry.

Each kind's examples, and random arguments drawn from its own declaration, go through the same
checks. A failure prints a spec to paste.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from math import prod
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from cnncli.algebra import Dim, Undecidable, evaluate, symbol, whole
from cnncli.algebra.deciding import Domain
from cnncli.algebra.size_sets import make
from cnncli.analysis.memory.liveness import in_bytes
from cnncli.diagnostics import CnncliError, Location, Source, SpecError
from cnncli.graph import Node, open_text
from cnncli.language.readers import Choice
from cnncli.layers import KINDS, Kind, Reads, Shape
from cnncli.layers.geometry.axis import AnyWindow
from cnncli.layers.geometry.window import POINT
from cnncli.layers.memory import Space, rule_of
from cnncli.network import BUILDERS
from cnncli.network.registry import build
from cnncli.network.verify import computed_macs
from tests.cases import Case, draw_case, fits
from tests.live_memory import Living, kept_by, near

BATCH = 2
# Kinds that pick one of the values they read: it takes many inputs to see all that may be picked.
PICKING = ("maxpool", "minpool", "medianpool", "globalmaxpool", "adaptivemaxpool")
MULTIPLYING = ("conv", "convtranspose", "linear", "shortcut", "capsules")
# Kinds that sum weighted inputs without multiply-accumulates of learned weights, as LeNet-5's paper counts.
SUMMING = ("subsample", "rbf")


def node_of(case: Case, layer: Kind[Any] | None = None) -> Node:
    layer = layer or case.layer
    return Node(
        "it",
        case.kind,
        layer,
        tuple(f"branch{number}" for number in range(len(case.inputs))),
        case.inputs,
        layer.output(case.input_shape),
        layer.parameters(case.input_shape),
        layer.buffers(case.input_shape),
        Location(Source("<case>", case.spec), 3, 5),
    )


class OfBranches(nn.Module):
    """A join that takes its branches as separate arguments, not as a list."""

    def __init__(self, join: nn.Module) -> None:
        super().__init__()
        self.join = join

    def forward(self, *branches: Tensor) -> Tensor:
        joined: Tensor = self.join([*branches])
        return joined


def module_of(case: Case, layer: Kind[Any] | None = None) -> nn.Module:
    module = build(node_of(case, layer))
    return OfBranches(module) if KINDS[case.kind].joins else module


# -- the checks ------------------------------------------------------------------------------------


def check_requirements(case: Case) -> None:
    assert all(requirement.holds for requirement in case.layer.check(case.input_shape)), case


def check_symbolic(case: Case) -> None:
    """Every rule returns the same for numbers as for unknown sizes that are replaced by them later.

    Sizes are not below the numbers, so that no map of several positions may be one of a single position.
    """
    shapes, sizes = with_symbols(case.inputs)
    domain = Domain({name: make(1, {0: size}, ()) for name, size in sizes.items()})
    with domain.applied():
        compare_with_symbols(case, shapes, sizes)


def compare_with_symbols(case: Case, shapes: tuple[Shape, ...], sizes: dict[str, int]) -> None:
    layer = case.layer
    input_shape = shapes if KINDS[case.kind].joins else shapes[0]
    for requirement in layer.check(input_shape):
        assert evaluate(requirement.holds, sizes), (case, requirement.message)
    numbers, formulas = figures(layer, case.input_shape), figures(layer, input_shape)
    assert formulas.keys() == numbers.keys(), case
    for name, number in numbers.items():
        assert tuple(evaluate(dim, sizes) for dim in formulas[name]) == number, (case, name)
    # What is saved can depend on whether an unknown size needs padding; then nothing is guessed.
    with contextlib.suppress(Undecidable):
        amounts = [[evaluate(dim, sizes) for dim in each] for each in spaces(layer, input_shape)]
        assert amounts == [[*each] for each in spaces(layer, case.input_shape)], case


def spaces(layer: Kind[Any], input_shape: Any) -> list[Space]:
    """Return what is saved in training, made in the backward pass, and allocated in inference."""
    output_shape, rule = layer.output(input_shape), rule_of(layer)
    saved = rule.saved(input_shape, output_shape, (True,) * (len(input_shape) if layer.joins else 1))
    return [saved.own, *saved.making, *rule.working(input_shape, output_shape)]


def with_symbols(inputs: tuple[tuple[int, ...], ...]) -> tuple[tuple[Shape, ...], dict[str, int]]:
    """Return the shapes with a symbol for each spatial axis of the first; other shapes differ by numbers.

    An axis of size 1 stays a number: it may be a scale to multiply with.
    """
    first = inputs[0]
    sizes = {f"n{axis}": n for axis, n in enumerate(first) if axis}

    def dim(axis: int, n: int) -> Dim:
        return n if axis == 0 or n == 1 else symbol(f"n{axis}") + (n - first[axis])

    return tuple(tuple(dim(axis, n) for axis, n in enumerate(shape)) for shape in inputs), sizes


def figures(layer: Kind[Any], input_shape: Any) -> dict[str, tuple[Dim, ...]]:
    output_shape = layer.output(input_shape)
    rules = ("macs", "operations", "neurons", "connections")
    costs = {rule: (getattr(layer, rule)(input_shape, output_shape),) for rule in rules}
    return {"output": output_shape, **costs, **layer.parameters(input_shape), **layer.buffers(input_shape)}


def check_torch(case: Case) -> None:
    """Check that output shape, parameters, buffers and costs are torch's."""
    layer = case.layer
    with torch.device("meta"):
        module = module_of(case).eval()
        inputs = [torch.empty((BATCH, *shape)) for shape in case.inputs]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        output = module(*inputs)
    output_shape = layer.output(case.input_shape)
    assert tuple(output.shape) == (BATCH, *output_shape), case
    assert shapes_of(module.named_parameters()) == dict(layer.parameters(case.input_shape)), case
    buffers = shapes_of(
        (name, each) for name, each in module.named_buffers() if not name.endswith("_tracked")
    )
    assert buffers == dict(layer.buffers(case.input_shape)), case
    macs = layer.macs(case.input_shape, output_shape)
    assert 2 * BATCH * computed_macs(node_of(case)) == counter.get_total_flops(), case
    assert macs == 0 or case.kind in MULTIPLYING, case


def check_neurons(case: Case) -> None:
    """Check that the outputs of layers that sum weighted inputs are neurons, and no others.

    ``check_torch`` compares the multiply-accumulates with torch's.
    """
    output_shape = case.layer.output(case.input_shape)
    sums = case.layer.macs(case.input_shape, output_shape) > 0 or case.kind in SUMMING
    neurons = case.layer.neurons(case.input_shape, output_shape)
    assert neurons == (prod(output_shape) if sums else 0), case


def shapes_of(tensors: Iterator[tuple[str, Tensor]]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in tensors}


def check_reads(case: Case) -> None:
    """Check that `windows` is true: an output reads the inputs whose gradient is not zero.

    With random positive weights and inputs nothing cancels out and no unit is dead.
    """
    if has_no_gradient(case):
        return
    layer = with_zero_padding(case.layer)
    torch.manual_seed(0)
    module = with_positive_weights(module_of(case, layer)).double().eval()
    inputs = values_for(case)
    inputs[0].requires_grad_()
    extent = layer.extents(case.input_shape)[0]
    if isinstance(extent, Reads):
        READING[extent](case, module, inputs)
    else:
        check_windows(case, extent, module, inputs)


def check_all(case: Case, module: nn.Module, inputs: list[Tensor]) -> None:
    """Check that the gradient of one output covers every channel at every position."""
    if case.kind == "capsulemask":
        check_choice(case, module)
        return
    for output in outputs_of(module(*inputs)):
        assert covered(output, inputs[0]).all(), case


def check_everywhere(case: Case, module: nn.Module, inputs: list[Tensor]) -> None:
    """Check that the gradient of one output covers every position, in some channel."""
    for output in outputs_of(module(*inputs)):
        assert covered(output, inputs[0]).any(0).all(), case


def check_each(case: Case, module: nn.Module, inputs: list[Tensor]) -> None:
    """Check that the Jacobian is diagonal without zeros: an output depends on the value at its place."""
    y = module(*inputs)
    assert y.shape == inputs[0].shape, case
    weights, others = torch.rand_like(y) + 0.5, torch.rand_like(y) + 2.0
    chosen = torch.rand_like(y) < 0.5
    before = gradient_of((y * weights).sum(), inputs[0])
    after = gradient_of((y * torch.where(chosen, others, weights)).sum(), inputs[0])
    assert torch.equal(before != after, chosen), case
    assert before.all(), case


def check_scrambled(case: Case, module: nn.Module, inputs: list[Tensor]) -> None:
    """Check that the Jacobian is a permutation: each output's random weight arrives at one input."""
    y = module(*inputs)
    assert y.numel() == inputs[0].numel(), case
    weights = torch.rand_like(y)
    arrived = gradient_of((y * weights).sum(), inputs[0])
    assert torch.equal(arrived.flatten().sort().values, weights.flatten().sort().values), case


READING: Mapping[Reads, Callable[[Case, nn.Module, list[Tensor]], None]] = {
    Reads.ALL: check_all,
    Reads.EVERYWHERE: check_everywhere,
    Reads.EACH: check_each,
    Reads.SCRAMBLED: check_scrambled,
}


def outputs_of(y: Tensor) -> Iterator[Tensor]:
    """Yield the first, the middle and the last value of every sample's output."""
    values = y.flatten(1)
    for place in sorted({0, values.shape[1] // 2, values.shape[1] - 1}):
        yield values[:, place].sum()


def covered(output: Tensor, first: Tensor) -> Tensor:
    """Return where the gradient of an input value is not zero in some sample."""
    return (gradient_of(output, first) != 0).any(0)


def check_choice(case: Case, module: nn.Module) -> None:
    """Check a choice, which has no derivative: every input value, made huge, changes an output."""
    x = torch.rand((64, *case.inputs[0]), dtype=torch.float64) + 0.5
    before = module(x)[:, 0, 0]
    for place in range(prod(case.inputs[0])):
        huge = x.clone()
        huge.flatten(1)[:, place] = 100.0
        changed = module(huge)
        # The output at the same place always changes with its own value.
        assert place == 0 or not torch.equal(changed[:, 0, 0], before), (case, place)


def check_windows(
    case: Case, windows: tuple[AnyWindow, ...], module: nn.Module, inputs: list[Tensor]
) -> None:
    """Check the first and last input position that an output reads along each axis."""
    first, sizes = inputs[0], case.inputs[0][1:]
    y = module(*inputs)
    # The outputs of a normalization add up to a constant.
    y = y * torch.rand_like(y).add(0.5)
    assert len(windows) == len(sizes) == y.ndim - 2, case
    reads = [
        [window.reach(i, n) for i in range(m)]
        for window, n, m in zip(windows, sizes, y.shape[2:], strict=True)
    ]
    for axis, reaches in enumerate(reads):
        # If outputs read nothing along another axis, they read nothing along this one.
        seen = all(any(other) for number, other in enumerate(reads) if number != axis)
        for position in some_of(len(reaches)):
            found = support(y.select(axis + 2, position).sum(), first, axis + 2)
            assert found == (reaches[position] if seen else None), (case, f"axis {axis}, position {position}")


def some_of(count: int) -> list[int]:
    """Return all positions if there are few, otherwise those at both ends and in the middle."""
    middle = count // 2
    return sorted(
        {*range(min(4, count)), *range(max(count - 4, 0), count), *range(max(middle - 1, 0), middle)}
    )


def has_no_gradient(case: Case) -> bool:
    """Return whether there is no gradient to see.

    One value normalized by itself, a product with padding, a choice of one capsule.
    """
    layer, shape = case.layer, case.inputs[0]
    together = {
        "softmax": shape[0],
        "log_softmax": shape[0],
        "layernorm": shape[0] if vars(layer).get("over") == "channels" else prod(shape),
        "groupnorm": prod(shape) // vars(layer).get("groups", 1),
    }
    padded_product = case.kind == "multiply" and vars(layer)["align"] == "pad" and len(set(case.inputs)) > 1
    single_choice = case.kind == "capsulemask" and shape[0] == 1
    return together.get(case.kind) == 1 or padded_product or single_choice


def with_zero_padding(layer: Kind[Any]) -> Kind[Any]:
    """Return the layer with padding that does not read the input."""
    modes = {name: "zeros" for name in ("padding_mode", "mode") if "zeros" in words_of(layer, name)}
    return type(layer)(**(vars(layer) | modes))


def words_of(layer: Kind[Any], argument: str) -> tuple[str, ...]:
    declared = layer.arguments.get(argument)
    reader = declared.reader if declared else None
    return reader.words if isinstance(reader, Choice) else ()


def with_positive_weights(module: nn.Module) -> nn.Module:
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.uniform_(0.5, 1.5)
    return module


def values_for(case: Case) -> list[Tensor]:
    """Return inputs around 1; for kinds that pick, many, some of which rise and fall along each axis."""
    count = 64 if case.kind in PICKING else BATCH
    inputs = [torch.rand((count, *shape), dtype=torch.float64) + 0.5 for shape in case.inputs]
    if case.kind == "globalmaxpool":
        # For each position, one sample has its largest value there.
        places = torch.eye(prod(case.inputs[0][1:]), dtype=torch.float64)
        return [inputs[0][:1] + 2 * places.view(-1, 1, *case.inputs[0][1:])]
    if case.kind not in PICKING:
        return inputs
    ramps = []
    for axis, n in enumerate(case.inputs[0][1:], start=2):
        ramp = torch.arange(n).view(-1, *(1,) * (inputs[0].ndim - axis - 1))
        ramps += [inputs[0][:1] + ramp, inputs[0][:1] - ramp]
    return [torch.cat([inputs[0], *ramps])]


def gradient_of(output: Tensor, first: Tensor) -> Tensor:
    if not output.requires_grad:
        return torch.zeros_like(first)
    return torch.autograd.grad(output, first, retain_graph=True)[0]


def support(output: Tensor, first: Tensor, axis: int) -> tuple[int, int] | None:
    """Return the first and last position along an axis where the gradient is not zero; None if it is zero."""
    gradient = gradient_of(output, first)
    others = [each for each in range(gradient.ndim) if each != axis]
    largest = gradient.abs().amax(others)
    # Weights of 0 are sometimes rounded to 1e-16.
    positions = (largest > 1e-12 * largest.max()).nonzero().flatten().tolist()
    return (positions[0], positions[-1]) if positions else None


def check_saved(case: Case) -> None:
    """Check that autograd saves what is declared, for inputs that need a gradient and for others.

    To the byte, or within the tolerance that the rule declares.
    """
    module, rule = module_of(case).train(), rule_of(case.layer)
    for needs in itertools.product((True, False), repeat=len(case.inputs)):
        if not any(needs) and not list(module.parameters()):
            continue
        pairs = zip(case.inputs, needs, strict=True)
        inputs = [torch.rand(BATCH, *shape).requires_grad_(need) for shape, need in pairs]
        kept = kept_by(partial(module, *inputs), [*module.parameters(), *module.buffers()])
        saved = rule.saved(case.input_shape, case.layer.output(case.input_shape), needs)
        named = {inputs[place].untyped_storage() for place in saved.inputs}
        named |= {kept.result.untyped_storage()} if saved.output else set()
        own = whole(in_bytes(saved.own, inputs[0].itemsize).at(BATCH))
        declared = sum(each.nbytes() for each in named) + own
        assert near(declared, kept.total, rule.tolerance), (case, needs, saved, kept.storages.values())
        assert {each._cdata for each in named} <= kept.storages.keys(), (case, needs, saved)


def check_sharing(case: Case) -> None:
    """Check that the output is a view of the first input if it is declared to be, and only then."""
    for training in (True, False):
        inputs = [torch.rand(BATCH, *shape) for shape in case.inputs]
        output = module_of(case).train(training)(*inputs)
        shares = output.untyped_storage()._cdata == inputs[0].untyped_storage()._cdata
        assert shares == rule_of(case.layer).shares(case.input_shape, training=training), (case, training)


def check_working(case: Case) -> None:
    """Check that the live memory in inference is what is declared."""
    module = module_of(case).eval()
    inputs = [torch.rand(BATCH, *shape) for shape in case.inputs]
    with torch.no_grad(), Living([*inputs, *module.parameters(), *module.buffers()]) as living:
        module(*inputs)
    rule = rule_of(case.layer)
    moments = rule.working(case.input_shape, case.layer.output(case.input_shape))
    most = max((whole(in_bytes(each, 4).at(BATCH)) for each in moments), default=0)
    assert near(most, living.peak, rule.tolerance), (case, moments)


CHECKS: tuple[Callable[[Case], None], ...] = (
    check_requirements,
    check_symbolic,
    check_torch,
    check_neurons,
    check_reads,
    check_saved,
    check_sharing,
    check_working,
)


# -- examples --------------------------------------------------------------------------------------

EXAMPLES = [
    Case(name, example.arguments, example.inputs) for name, kind in KINDS.items() for example in kind.examples
]


def test_what_every_kind_reads_is_seen_in_an_example() -> None:
    """``check_reads`` skips examples without a gradient; every kind has another one."""
    assert {case.kind for case in EXAMPLES if not has_no_gradient(case)} == {*KINDS}


def id_of(case: Case) -> str:
    return f"{case.kind} {case.arguments}".strip()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
@pytest.mark.parametrize("case", EXAMPLES, ids=id_of)
def test_example(case: Case, check: Callable[[Case], None]) -> None:
    check(case)


@pytest.mark.parametrize("case", EXAMPLES, ids=id_of)
def test_example_runs_and_learns(case: Case) -> None:
    """On the CPU: finite outputs of the right shape, and a gradient for every parameter."""
    torch.manual_seed(0)
    module = module_of(case).train()
    output = module(*[torch.randn(BATCH, *shape) for shape in case.inputs])
    assert output.shape == (BATCH, *case.layer.output(case.input_shape)), case
    assert torch.isfinite(output).all(), case
    if list(module.parameters()):
        (output * torch.rand_like(output)).sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, (case, name)
        assert parameter.grad.abs().sum() > 0, (case, name)


@pytest.mark.parametrize("given", [torch.float32, torch.bfloat16])
def test_examples_run_and_learn_in_16_bits(given: torch.dtype) -> None:
    """Under autocast on the CPU, after a layer with outputs in 16 bits and after one without."""
    for case in EXAMPLES:
        module = module_of(case).train()
        inputs = [torch.rand(BATCH, *shape, dtype=given).requires_grad_() for shape in case.inputs]
        with torch.autocast("cpu", torch.bfloat16):
            output = module(*inputs)
        assert output.dtype == torch.bfloat16 or case.kind not in {"conv", "convtranspose", "linear"}, case
        if output.requires_grad:
            output.float().sum().backward()


@pytest.mark.parametrize("case", EXAMPLES, ids=id_of)
def test_the_printed_spec_is_this_case(case: Case) -> None:
    node = open_text(case.spec).graph.nodes[-1]
    assert (node.kind, node.layer, node.input_shapes) == (case.kind, case.layer, case.inputs)


# -- random arguments ------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_random_arguments(name: str) -> None:
    tried = 0

    @settings(
        max_examples=25,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
    )
    @given(st.data())
    def run(data: st.DataObject) -> None:
        nonlocal tried
        case = draw_case(data.draw, name)
        assume(fits(case))
        tried += 1
        for check in CHECKS:
            check(case)

    run()
    assert tried >= 10, f"only {tried} of the random arguments fit the kind"


# -- the check of `windows` can fail --------------------------------------------------------------

LIES: list[tuple[str, str, tuple[int, ...], object]] = [
    ("mish", "", (6, 5, 4), Reads.ALL),
    ("mish", "", (6, 5, 4), Reads.EVERYWHERE),
    ("mish", "", (6, 5, 4), Reads.SCRAMBLED),
    ("flatten", "", (16, 5, 5), Reads.ALL),
    ("flatten", "", (16, 5, 5), Reads.EACH),
    ("reshape", "[-1, 4]", (6, 2, 4), (POINT,)),
    ("channelshuffle", "3", (6, 4, 4), Reads.EACH),
    ("linear", "10", (84,), Reads.SCRAMBLED),
    ("linear", "10", (84,), Reads.EACH),
    ("softmax", "", (7,), Reads.EACH),
    ("globalavgpool", "", (8, 7, 7), Reads.ALL),
    ("groupnorm", "2", (8, 7, 6), Reads.ALL),
    ("capsulelength", "", (10, 16), Reads.ALL),
    ("capsulemask", "", (10, 16), Reads.EACH),
    ("conv", "{channels: 6, kernel: 5}", (1, 32, 32), Reads.EVERYWHERE),
    ("conv", "{channels: 6, kernel: 5, padding: same}", (1, 32, 32), (POINT, POINT)),
]


@pytest.mark.parametrize(("kind", "arguments", "shape", "lie"), LIES)
def test_a_kind_that_reads_something_else_is_found_out(
    kind: str, arguments: str, shape: tuple[int, ...], lie: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case(kind, arguments, (shape,))
    monkeypatch.setattr(type(case.layer), "extents", lambda *_: (lie,))
    with pytest.raises(AssertionError, match=kind):
        check_reads(case)


@pytest.mark.parametrize("kind", ["mish", "flatten"])
def test_a_kind_that_says_none_is_refused(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(kind, "", ((6, 5, 4),))
    monkeypatch.setattr(type(case.layer), "windows", lambda *_: None)
    with pytest.raises(CnncliError, match=f"kind '{kind}' does not say what its outputs read"):
        check_reads(case)


# -- declarations ----------------------------------------------------------------------------------


def test_every_kind_has_a_builder_and_every_builder_a_kind() -> None:
    assert set(BUILDERS) == set(KINDS.values())


@pytest.mark.parametrize("name", KINDS)
def test_declaration_is_documented(name: str) -> None:
    kind = KINDS[name]
    assert "__doc__" in vars(kind)
    assert kind.__doc__
    assert kind.examples
    assert sum(argument.main for argument in kind.arguments.values()) <= 1
    for argument in kind.arguments.values():
        assert argument.help.strip()
        assert argument.reader.expected.strip()


MISSPELT = [(kind, argument) for kind in KINDS for argument in KINDS[kind].arguments]


@pytest.mark.parametrize(("name", "argument"), MISSPELT)
def test_misspelled_argument_is_located_and_mended(name: str, argument: str) -> None:
    wrong = argument[:-2] + argument[-1] if len(argument) > 3 else argument + argument[-1]
    assert wrong not in KINDS[name].arguments
    branches = ", branches: [identity]" if KINDS[name].joins else ""
    text = f"input: [4, 8, 8]\nlayers:\n  - {name}: {{{wrong}: 1{branches}}}\n"
    with pytest.raises(SpecError) as caught:
        open_text(text, name="spec.yaml")
    found = [each for each in caught.value.diagnostics if each.code == "unknown-argument"]
    assert len(found) == 1
    assert str(found[0].location) == f"spec.yaml:3:{len(name) + 8}"
    assert f"'{wrong}'" in found[0].message
    assert f"did you mean '{argument}'?" in found[0].hint
