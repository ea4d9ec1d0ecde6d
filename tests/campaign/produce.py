"""The n-th case of a campaign: it follows from the seed, its number and the material of its round alone."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from random import Random
from typing import Final, NamedTuple

from tests.campaign import grammar
from tests.campaign.case import Case
from tests.campaign.commands import command_line
from tests.campaign.mutate import mutated
from tests.campaign.seeds import seeds
from tests.campaign.trained import trained_case

BASE: Final = b"""\
input: [1, 16, 16]
vars: {width: 4, k: 3, classes: 10}
layers:
  - conv: {channels: width, kernel: k}
  - flatten
  - linear: classes
"""
ROW: Final = 500
ROWS: Final = 50
"""Rows of cases; the last row in each of these groups computes with torch."""

BUDGET: Final = "params: 1M\nmacs: 60k\nweights_size: 512 KiB\ndepth: 9\n"


class Material(NamedTuple):
    """What the cases of a round are made from, besides the seeds."""

    seed: int
    corpus: tuple[str, ...] = ()
    """The specs that reached something new in earlier rounds."""
    base: Mapping[str, bytes] = {}
    """Data and a run, as files by their paths; without them no case computes with torch."""


def is_trained(number: int, material: Material) -> bool:
    """Return whether a case computes with torch: such cases come in rows, since importing it takes long."""
    return bool(material.base) and number // ROW % ROWS == ROWS - 1


def produce(number: int, material: Material) -> Case:
    """Return the case of a number; an empty one with the traceback if the campaign itself has a mistake."""
    try:
        return _made(number, material)
    except Exception:  # noqa: BLE001 -- costs one case of a million, and is found like any other fault
        return Case({}, (), traceback.format_exc())


def _made(number: int, material: Material) -> Case:
    random = Random(f"{material.seed}/{number}")  # noqa: S311 -- chance to repeat, not to keep secret
    if is_trained(number, material):
        return trained_case(random, material.base, (*seeds(), *material.corpus))
    corpus = material.corpus
    text = spec(random, corpus)
    arguments = command_line(random, text)
    files: dict[str, bytes] = {}
    if "base.yaml" in text:
        files["base.yaml"] = mutated(random, BASE.decode(), (BUDGET,)).encode("utf-8", "replace")
    if "budget.yaml" in arguments:
        files["budget.yaml"] = mutated(random, BUDGET, (BUDGET,)).encode("utf-8", "replace")
    return Case(files, arguments).with_text(text)


def spec(random: Random, corpus: Sequence[str]) -> str:
    """Return a text: by the grammar as it is, or one of the grammar, the seeds or the corpus, changed."""
    choice = random.random()
    if choice < 0.35:
        return grammar.made(random)
    if choice < 0.50:
        text = grammar.made(random)
    elif choice < 0.75 and corpus:
        text = random.choice(corpus)
    else:
        text = random.choice(seeds())
    return mutated(random, text, seeds())
