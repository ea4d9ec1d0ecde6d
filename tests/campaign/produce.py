"""The n-th case of a campaign: it follows from the seed, its number and the corpus of its round alone."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Final

from tests.campaign import grammar
from tests.campaign.case import Case
from tests.campaign.commands import command_line
from tests.campaign.mutate import mutated
from tests.campaign.seeds import seeds

BASE: Final = b"""\
input: [1, 16, 16]
vars: {width: 4, k: 3, classes: 10}
layers:
  - conv: {channels: width, kernel: k}
  - flatten
  - linear: classes
"""
BUDGET: Final = "params: 1M\nmacs: 60k\nweights_size: 512 KiB\ndepth: 9\n"


def produce(seed: int, number: int, corpus: Sequence[str]) -> Case:
    """Return a case. ``corpus`` has the specs that reached something new in earlier rounds."""
    random = Random(f"{seed}/{number}")  # noqa: S311 -- chance to repeat, not to keep secret
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
