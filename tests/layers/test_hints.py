"""What shape errors and misplaced arguments suggest; where it is followed, the network is valid."""

from __future__ import annotations

import pytest

from tests.language.support import fault, faults, graph

GATE = """
input: [64, 8, 8]
layers:
  - multiply:
      - identity
      - [{squeeze}, {excite}, sigmoid]
"""


def test_a_gate_with_one_channel() -> None:
    text = GATE.replace("{squeeze}", "identity")
    found = fault(text.replace("{excite}", "conv: {channels: 1, kernel: 1}"))
    assert found.hint == (
        "one channel does not scale the others: a gate needs as many as what it scales, as from "
        "'conv: {channels: 64, kernel: 1}'"
    )
    assert graph(text.replace("{excite}", "conv: {channels: 64, kernel: 1}")).nodes


def test_other_channels_that_differ_in_a_product() -> None:
    text = GATE.replace("{squeeze}", "identity").replace("{excite}", "conv: {channels: 2, kernel: 1}")
    assert fault(text).hint == "'shortcut' or a 1x1 'conv' changes the channels of a branch"


def test_squeeze_and_excitation_with_vectors() -> None:
    found = fault(GATE.replace("{squeeze}", "globalavgpool").replace("{excite}", "linear: 64"))
    assert "'globalavgpool: {keepdims: true}'" in found.hint
    assert "'conv' with kernel 1 in place of 'linear'" in found.hint
    text = GATE.replace("{squeeze}", "globalavgpool: {keepdims: true}")
    assert graph(text.replace("{excite}", "conv: {channels: 64, kernel: 1}")).nodes


UNIT = """
input: [64, 9, 9]
layers:
  - add: [[conv: {channels: 128, kernel: 3, stride: STRIDE, padding: half}], [SHORTCUT]]
"""


@pytest.mark.parametrize("stride", [2, 3, 9])
def test_an_add_whose_branches_differ_in_channels_and_sizes(stride: int) -> None:
    text = UNIT.replace("STRIDE", str(stride))
    (found,) = faults(text.replace("SHORTCUT", "identity"))
    suggested = f"shortcut: {{channels: 128, stride: {stride}}}"
    assert found.hint == f"channels differ too: '{suggested}' changes both"
    assert graph(text.replace("SHORTCUT", suggested)).nodes


def test_sizes_that_no_stride_gives() -> None:
    text = UNIT.replace("STRIDE", "1").replace("SHORTCUT", "maxpool: {kernel: 3, stride: 1}")
    assert fault(text).hint == "channels differ too: 'shortcut' with 'channels' and 'stride' changes both"


def test_an_add_whose_branches_differ_in_sizes_only() -> None:
    text = UNIT.replace("128", "64").replace("STRIDE", "2").replace("SHORTCUT", "identity")
    assert fault(text).hint == "'align: crop' or 'align: pad' makes their sizes equal"


def test_a_linear_layer_on_a_map() -> None:
    hint = fault("input: [3, 8, 8]\nlayers: [linear: 10]").hint
    assert hint == (
        "put 'flatten' (all values) or 'globalavgpool' (one for each channel) before it; at each position by "
        "itself, it is 'conv: {channels: 10, kernel: 1}'"
    )
    assert graph("input: [3, 8, 8]\nlayers: [conv: {channels: 10, kernel: 1}]").nodes


@pytest.mark.parametrize(
    ("layer", "hint"),
    [
        ("crop: {top: 1}", "crop: {amount: {top: 1}}"),
        ("pad: {left: 2}", "pad: {amount: {left: 2}}"),
        ("maxpool: {kernel: 2, top: 1}", "maxpool: {padding: {top: 1}}"),
        ("pad: {left: [1]}", "pad: {amount: {left: ...}}"),
    ],
)
def test_a_side_outside_of_its_argument(layer: str, hint: str) -> None:
    """One error, which does not say that the argument is missing as well."""
    assert fault(f"input: [3, 8, 8]\nlayers: [{layer}]").hint == hint
    if "..." not in hint and "kernel" not in layer:
        assert graph(f"input: [3, 8, 8]\nlayers:\n  - {hint}").nodes
