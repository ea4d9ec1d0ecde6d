"""Every analysis of any spec is answered or refused within bounds of time, memory and output."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

import pytest

import cnncli
from cnncli.analysis.sizes import valid_sizes
from cnncli.analysis.space.receptive_field import receptive_fields
from cnncli.diagnostics import LimitError
from cnncli.graph import all_sizes, open_text
from cnncli.limits import HULLS, RESIDUES, TERMS, Limit
from cnncli.work import metered
from tests.analysis.hostile_specs import (
    ANSWERED,
    CASES,
    CONVOLUTION,
    FLOORS,
    HALVING,
    VALID,
    branches,
    chain,
    drifting,
    jumps,
    shifted,
)
from tests.hostile import ask
from tests.steps import at_most


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_it_is_answered_or_refused(case: tuple[str, tuple[str, ...]], tmp_path: Path) -> None:
    text, (command, *options) = case
    (tmp_path / "x.yaml").write_text(text, encoding="utf-8")
    answer = ask(command, "x.yaml", *options, folder=tmp_path)
    assert answer.code == 0 or "error: " in answer.errors


@pytest.mark.slow
@pytest.mark.parametrize("case", ANSWERED.values(), ids=list(ANSWERED))
def test_it_is_answered(case: tuple[str, tuple[str, ...], str], tmp_path: Path) -> None:
    text, (command, *options), expected = case
    (tmp_path / "x.yaml").write_text(text, encoding="utf-8")
    answer = ask(command, "x.yaml", *options, folder=tmp_path)
    assert answer.code == 0, answer.errors
    assert expected in answer.output


@pytest.mark.parametrize(
    ("text", "analysis", "message"),
    [
        (jumps(26), "receptive_field", r"<text>:2:\d+: b1.16.maxpool1: its receptive field is too large"),
        (jumps(26), "shifts", r"<text>:2:\d+: b1.16.maxpool1: the shift of its output is too large"),
        (drifting(5), "receptive_field", rf"<text>:\d+:\d+: \w+: .* more than {HULLS.most:,} {HULLS.of}"),
        (
            FLOORS,
            "sizes",
            r"<text>:3:5: maxpool1.16: the formula of its output has a number that is too large",
        ),
    ],
)
def test_a_refusal_is_at_the_node(text: str, analysis: str, message: str) -> None:
    with pytest.raises(cnncli.CnncliError, match=message):
        getattr(cnncli.loads(text), analysis)()


@pytest.mark.parametrize(
    ("place", "limit"),
    [("terms.TERMS", TERMS), ("deciding.RESIDUES", RESIDUES), ("size_sets.RESIDUES", RESIDUES)],
)
def test_what_nothing_else_bounds_is_refused(
    place: str, limit: Limit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"cnncli.algebra.{place}", limit._replace(most=40))
    with metered(), pytest.raises(LimitError, match=rf"more than 40 {limit.of}"):
        valid_sizes(open_text(shifted(499), size=all_sizes).graph)


def sizes(count: int) -> None:
    valid_sizes(open_text(chain(VALID, count, "[1, 20000, 20000]"), size=all_sizes).graph)


def formulas(count: int) -> None:
    cnncli.loads(chain(HALVING, count), symbolic=True).costs()


def memory(count: int) -> None:
    cnncli.loads(branches(count, 2)).memory()


def long_memory(count: int) -> None:
    cnncli.loads(chain(CONVOLUTION, count)).memory()


def fields(count: int) -> None:
    receptive_fields(open_text(chain(CONVOLUTION, count)).graph)


@pytest.mark.parametrize("work", [sizes, formulas, memory, long_memory, fields])
def test_twice_the_layers_take_about_twice_the_steps(work: Callable[[int], None]) -> None:
    work(60)  # imports, and what is kept
    with at_most(20_000_000) as once:
        work(60)
    with at_most(20_000_000) as twice:
        work(120)
    assert twice.taken < 2.5 * once.taken


@pytest.mark.parametrize("name", ["unet", "resnet18"])
def test_an_opened_spec_has_no_cycles(name: str) -> None:
    cnncli.load(name).costs()
    gc.collect()
    gc.disable()
    try:
        cnncli.load(name).costs()
        cnncli.load(name, classes=5) if name == "resnet18" else None
        assert gc.collect() == 0
    finally:
        gc.enable()
