"""Specs that were made to hold a machine are answered or refused after a counted number of steps."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import pytest

from cnncli.diagnostics import CnncliError, Source, WorkError, did_you_mean
from cnncli.graph import open_text
from cnncli.limits import MAX_RELATED, VALUES
from tests.hostile import ask
from tests.language.hostile_specs import HEAD, SPECS, compared_lists, convolution, doubling
from tests.steps import at_most

every_spec = pytest.mark.parametrize("text", SPECS.values(), ids=list(SPECS))


@pytest.mark.slow
@every_spec
@pytest.mark.parametrize("command", ["check", "inspect"])
def test_it_is_answered_or_refused(text: str, command: str, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(text, encoding="utf-8")
    assert ask(command, "x.yaml", folder=tmp_path).text


@pytest.mark.slow
@every_spec
def test_the_steps_are_bounded(text: str) -> None:
    with at_most(40_000_000) as steps, suppress(CnncliError):
        open_text(text)
    assert steps.taken > 100


def test_a_text_that_is_used_often_is_computed_once() -> None:
    with at_most(200_000):
        opened = open_text(f'{doubling(31)}name: "$a0."\nlayers: [relu]\n')
    assert opened.graph.name == "."


def test_a_refusal_names_the_limit_and_the_place() -> None:
    with pytest.raises(WorkError, match=rf"<text>:4:22: .*more than {VALUES.most:,} values of lists"):
        open_text(compared_lists())


def test_what_a_person_writes_is_far_from_the_limits() -> None:
    values = ", ".join(map(str, range(1, 101)))
    layers = "".join(f"  - conv: {{channels: 'widths[{n}] + 1', kernel: 3}}\n" for n in range(100))
    opened = open_text(f"input: [3, 256, 256]\nvars: {{widths: [{values}]}}\nlayers:\n{layers}")
    assert len(opened.graph.nodes) == 100


def test_a_number_of_many_digits_is_refused_in_words() -> None:
    for text in (f"{HEAD}{convolution('9' * 25)}", f"{HEAD}{convolution('9' * 5000)}"):
        with pytest.raises(CnncliError, match=r"the result is too large|the expression is too long"):
            open_text(text)


def test_lines_are_found_without_splitting_the_text_again() -> None:
    source = Source("x", "\n" * 200_000 + "one\r\ntwo\u2028three")
    with at_most(1_000_000):
        assert [source.line(200_001 + number) for number in range(4)] == ["one", "two", "three", ""]
        assert all(source.line(number) == "" for number in range(1, 50_000))


def test_hints_look_at_a_bounded_number_of_names() -> None:
    names = [f"a_long_name_of_a_variable_{number:06}" for number in range(30_000)]
    with at_most(1_000_000):
        hints = {did_you_mean("a_long_name_of_a_varable_000007", names) for _ in range(50)}
    assert hints == {"did you mean 'a_long_name_of_a_variable_000007'?"}
    assert did_you_mean("width", names, "names").endswith(" and many more")


def test_the_uses_of_nested_blocks_are_counted_and_not_all_shown(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(SPECS["faults below blocks"], encoding="utf-8")
    answer = ask("check", "x.yaml", folder=tmp_path)
    assert answer.errors.count("20 errors") == 1
    first = answer.errors.split("error:")[1]
    assert len(re.findall(r"x\.yaml:\d+:\d+", first)) == MAX_RELATED + 1
    assert "and 27 more places" in first
