"""What a dry run leaves in memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnncli.graph import open_text
from cnncli.training.launch.dry_run import dry_run
from cnncli.training.launch.starting import prepare

SPEC = """
input: [1, 8, 8]
layers: [flatten, {linear: {features: 16, norm: batch}}, linear: 10]
train: {data: digits, optimizer: adamw}
"""


def test_the_first_network_makes_room_for_the_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the memory that is measured would be too large by one network."""
    monkeypatch.chdir(tmp_path)
    opened = open_text(SPEC, name="net.yaml")
    prepared = prepare(opened, opened.train, "cpu")
    tried = dry_run(prepared, None)
    assert (tried.tried, tried.about.folder) == (6, Path("runs/net-1"))
    assert all(each.is_meta for each in prepared.network.state_dict().values())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("epochs", "batch", "count"), [(9, 64, 6), (1, 64, 3), (9, 10**4, 2)])
def test_steps_are_counted(
    epochs: int, batch: int, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    opened = open_text(SPEC, overrides=[f"train.epochs={epochs}", f"train.batch={batch}"])
    seen: list[tuple[int, int]] = []
    tried = dry_run(prepare(opened, opened.train, "cpu"), None, lambda *numbers: seen.append(numbers))
    assert seen == [(number, count) for number in range(1, count + 1)]
    assert tried.tried == count
