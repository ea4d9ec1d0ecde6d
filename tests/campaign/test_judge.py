"""What a command may not do is seen, and what it may do is not called faulty."""

from __future__ import annotations

import pytest

from tests.campaign.case import Case
from tests.campaign.judge import ANSWERED, DIVERGED, OVER, REFUSED, SKIPPED, UNPLACED, faults, outcome
from tests.campaign.produce import Material, produce
from tests.campaign.sandbox import Done, Limits
from tests.campaign.trained import NOT_RUN

SPEC = b"input: [3, 8, 8]\nlayers: [conv: 3]\n"
PLACED = "net.yaml:2:9: error: 'conv' needs 'kernel'\n"
JSON = '{"schema": "cnncli.inspect/1", "layers": []}\n'
TRACEBACK = 'Traceback (most recent call last):\n  File "x.py", line 1, in f\n'


def case(*arguments: str) -> Case:
    return Case({"net.yaml": SPEC}, arguments)


def done(code: int | None, out: str = "", err: str = "", raised: str = "") -> Done:
    return Done(code, out, err, len(out) + len(err), raised)


@pytest.mark.parametrize(
    ("arguments", "ended", "what"),
    [
        (("inspect", "net.yaml"), done(0, "conv1  8x6x6\n"), ANSWERED),
        (("inspect", "net.yaml", "--format", "json"), done(0, JSON), ANSWERED),
        (("check", "net.yaml"), done(1, "over budget\n"), OVER),
        (("train", "net.yaml"), done(3, err="error: the loss became nan\n"), DIVERGED),
        (("train", "net.yaml"), done(NOT_RUN), SKIPPED),
        (("inspect", "net.yaml"), done(2, err=PLACED), REFUSED),
        (("inspect", "x.yaml"), done(2, err="error: no such file: 'x.yaml'\n"), UNPLACED),
        (("inspect", "net.yaml", "--format", "markdown"), done(0, "'\\<img src=x onerror=a\\>'\n"), ANSWERED),
        (("inspect", "net.yaml", "--format", "html"), done(0, "4*L\xa0+\xa0l1\n"), ANSWERED),
        (("inspect", "net.yaml"), done(0, "infer nan-like info.nan\n"), ANSWERED),
    ],
)
def test_what_is_right(arguments: tuple[str, ...], ended: Done, what: str) -> None:
    assert [*faults(case(*arguments), ended, Limits())] == []
    assert outcome(ended) == what


@pytest.mark.parametrize(
    ("arguments", "ended", "kind"),
    [
        (
            ("inspect",),
            done(None, raised=f"OverflowError\n{TRACEBACK}"),
            "traceback",
        ),
        (("inspect",), done(None, raised=f"MemoryError\n{TRACEBACK}"), "memory"),
        (("inspect",), done(0, TRACEBACK), "traceback"),
        (("inspect",), done(1, "fine\n"), "exit code"),
        (("check",), done(3, err="error: x\n"), "exit code"),
        (("inspect",), done(4, err="error: x\n"), "exit code"),
        (("inspect",), done(2), "exit code"),
        (("inspect",), done(0, "fine\n", "error: x\n"), "exit code"),
        (("inspect",), done(0, "x" * 1_000_001), "output"),
        (("inspect",), done(0, "fine\n", "x.py:3: UserWarning: odd\n"), "warning"),
        (("inspect",), done(2, err="net.yaml:9:1: error: x\n"), "place"),
        (("inspect",), done(2, err="net.yaml:2:40: error: x\n"), "place"),
        (("inspect",), done(2, err="net.yaml:0:1: error: x\n"), "place"),
        (("inspect",), done(0, "a\x1b[31mb\n"), "control character"),
        (("inspect",), done(2, err="error: a\u202eb\n"), "control character"),
        (("inspect", "--format", "json"), done(0, "a\xa0b\n"), "control character"),
        (("check",), done(0, "::error::x\n"), "command to a CI"),
        (("check",), done(2, err="error: x\n##vso[task]\n"), "command to a CI"),
        (("inspect", "--format", "html"), done(0, "<img src=x onerror=a>\n"), "live markup"),
        (("inspect", "--format", "markdown"), done(0, "\\\\<img src=x onerror=a>\n"), "live markup"),
        (("inspect",), done(0, "loss nan\n"), "not finite"),
        (("inspect",), done(0, "ratio -inf\n"), "not finite"),
        (("inspect", "--format", "json"), done(0, JSON.replace("[]", "NaN")), "json"),
        (("inspect", "--format", "json"), done(0, JSON.replace("layers", "schema")), "json"),
        (("inspect", "--format", "json"), done(0, JSON[:-3]), "json"),
        (("inspect", "--format", "json"), done(0, "[]"), "json"),
    ],
)
def test_what_is_wrong(arguments: tuple[str, ...], ended: Done, kind: str) -> None:
    assert kind in {fault.kind for fault in faults(case(*arguments), ended, Limits())}


def test_a_case_that_could_not_be_made_is_a_fault_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def mistaken(*_: object) -> str:
        raise IndexError("list index out of range")

    monkeypatch.setattr("tests.campaign.produce.spec", mistaken)
    made = produce(1, Material(1))
    (fault,) = faults(made, done(0, "fine\n"), Limits())
    assert (fault.kind, fault.key) == (
        "campaign",
        "the case could not be made: IndexError: list index out of range",
    )
    assert "mistaken" in fault.seen
