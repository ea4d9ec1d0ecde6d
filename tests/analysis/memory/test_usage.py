"""The memory of small networks, worked out by hand, and the largest batch against all others."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnncli.analysis.memory.usage import Memory, bytes_at, largest_batch, memory, peak_moment
from cnncli.graph import open_text
from cnncli.recipe.optimizers import SGD, AdamW, Optimizer
from cnncli.recipe.recipe import Recipe
from tests.network.support import HEADS, RESIDUAL, SKIPS


def memory_of(text: str, itemsize: int = 4, optimizer: Optimizer | None = None) -> Memory:
    return memory(open_text(text).graph, itemsize, Recipe(optimizer=optimizer or SGD()))


def saved(found: Memory, batch: int = 1) -> list[int]:
    return [bytes_at(row.saved, batch) for row in found.rows]


def chain(*layers: str, size: str = "[2, 4, 4]") -> str:
    return f"input: {size}\nlayers:\n" + "".join(f"  - {layer}\n" for layer in layers)


def test_one_linear_layer() -> None:
    found = memory_of(chain("linear: 3", size="[5]"), optimizer=AdamW())
    assert (found.weights, found.gradients, found.state, found.buffers) == (72, 72, 144, 0)
    assert saved(found, batch=7) == [0]  # the input is the caller's own
    assert bytes_at(found.image, 7) == 7 * 20
    assert bytes_at(peak_moment(found.inference, 7).live, 7) == 72 + 7 * (20 + 12)


def test_what_two_layers_keep_counts_once() -> None:
    conv, relu = 4 * 3 * 16, 4 * 3 * 16
    text = chain("conv: {channels: 3, kernel: 1}", "relu", "conv: {channels: 5, kernel: 1}", "sigmoid")
    assert saved(memory_of(text)) == [0, relu, 0, 4 * 5 * 16]
    text = chain("conv: {channels: 3, kernel: 1}", "silu", "conv: {channels: 5, kernel: 1}")
    assert saved(memory_of(text)) == [0, conv, relu]


def test_views_keep_what_they_look_at() -> None:
    text = chain("conv: {channels: 3, kernel: 1}", "identity", "flatten", "linear: 2", "reshape: [1, 2]")
    found = memory_of(text)
    assert saved(found) == [0, 0, 0, 4 * 48, 0]
    assert [len(row.inference) for row in found.rows] == [1] * 5
    # The map is alive while the vector made of it is read, once.
    linear = bytes_at(found.rows[3].inference[0].live, 1)
    assert linear == 4 * (32 + 48 + 2)


def test_nothing_is_kept_where_nothing_is_learned() -> None:
    assert saved(memory_of(chain("relu", "maxpool: 2", "tanh"))) == [0, 0, 0]
    found = memory_of(chain("tanh", "{conv: {channels: 1, kernel: 1}}"))
    assert saved(found) == [0, 4 * 32]
    # A part that leads to no output gets no gradient.
    heads = "heads: {one: {from: a, layers: [identity]}}\n"
    text = chain("{conv: {channels: 1, kernel: 1}, name: a}", "sigmoid") + heads
    assert saved(memory_of(text)) == [0, 0, 0]


def test_indices_have_eight_bytes_in_every_type() -> None:
    text = chain("conv: {channels: 1, kernel: 1}", "maxpool: 2")
    for itemsize in (2, 4, 8):
        assert saved(memory_of(text, itemsize), batch=3) == [0, 3 * (16 * itemsize + 4 * 8)]


def test_a_value_lives_until_its_last_use() -> None:
    text = chain("{conv: {channels: 8, kernel: 1}, name: wide}", "conv: {channels: 1, kernel: 1}", "relu")
    wide, narrow, image = 4 * 128, 4 * 16, 4 * 32
    held = [bytes_at(row.inference[0].live, 1) for row in memory_of(text).rows]
    assert held == [image + wide, image + wide + narrow, image + 2 * narrow]
    text += "  - concat: [identity, wide]\n"
    held = [bytes_at(row.inference[-1].live, 1) for row in memory_of(text).rows]
    assert held[:3] == [image + wide, image + wide + narrow, image + wide + 2 * narrow]
    assert held[-1] == image + wide + narrow + (wide + narrow)


@pytest.mark.parametrize(
    ("optimizer", "copies"), [(SGD(momentum=0.0), 0), (SGD(momentum=0.9), 1), (AdamW(), 2)]
)
def test_what_the_optimizer_keeps(optimizer: Optimizer, copies: int) -> None:
    found = memory_of(RESIDUAL, optimizer=optimizer)
    assert found.state == copies * found.weights


def test_training_only_heads_have_weights_but_no_inference_memory() -> None:
    found = memory_of(HEADS)
    rows = {row.node.name: row for row in found.rows}
    training_only = [row for row in found.rows if row.node.training_only]
    assert training_only
    assert all(row.inference == () for row in training_only)
    assert rows["aux.linear1"].weights == 4 * (144 * 5 + 5)
    # It reads what the trunk's normalization gives, which nobody else keeps: relu keeps its own output.
    assert bytes_at(rows["aux.linear1"].saved, 1) == 4 * 144


@settings(max_examples=60)
@given(
    st.sampled_from((RESIDUAL, SKIPS, HEADS)),
    st.integers(0, 2**22),
    st.sampled_from((2, 4, 8)),
    st.sampled_from((SGD(), AdamW())),
)
def test_the_largest_batch_fits_and_the_next_does_not(
    text: str, limit: int, itemsize: int, optimizer: Optimizer
) -> None:
    found = memory_of(text, itemsize, optimizer=optimizer)
    for moments in (found.inference, found.training):
        batch, peak, next_peak = largest_batch(moments, limit)
        assert peak <= limit or batch == 0
        assert next_peak > limit
        assert next_peak == bytes_at(peak_moment(moments, batch + 1).live, batch + 1)


def test_exactly_enough_is_enough() -> None:
    found = memory_of(RESIDUAL)
    peak = bytes_at(peak_moment(found.training, 5).live, 5)
    assert largest_batch(found.training, peak).batch == 5
    assert largest_batch(found.training, peak - 1).batch == 4
