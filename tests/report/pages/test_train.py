"""What ``cnncli train`` shows of an epoch."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cnncli.report.pages.train import epoch_lines, heading, progress_line
from cnncli.report.watching import live_lines
from cnncli.results.training import Epoch, Progress

ONE = {
    "train.objective": 0.9,
    "train.loss": 0.5,
    "train.accuracy": 0.75,
    "test.loss": 0.25,
    "test.accuracy": 1.0,
    "test.top5": 1.0,
}
SEVERAL = {"train.aux.loss": 2.0, "train.aux.accuracy": 0.5, "train.main.loss": 0.5, "test.main.loss": 0.25}


def lines(figures: dict[str, float]) -> list[str]:
    return [*epoch_lines(Epoch(3, 0.05, 2.0, 1234.5, figures), 10)]


EPOCH = Epoch(3, 0.05, 2.0, 1234.5, ONE)


def test_a_reconstruction_has_decibels() -> None:
    figures = {"train.loss": 0.01, "train.psnr": 20.0, "test.loss": 0.001, "test.psnr": 30.0}
    epoch = Epoch(3, 0.05, 2.0, 1234.5, figures)
    (line,) = epoch_lines(epoch, 10)
    assert heading(epoch).split().count("PSNR") == 2
    assert line.split() == ["3/10", "0.05", "0.0100", "20.00", "dB", "0.0010", "30.00", "dB", "1,234"]
    assert len(line) == len(heading(epoch))


def test_figures_are_below_their_headings() -> None:
    (line,) = lines(ONE)
    assert line.split() == ["3/10", "0.05", "0.5000", "75.00", "%", "0.2500", "100.00", "%", "1,234"]
    assert len(line) == len(heading(EPOCH))
    for title, value in (("train loss", "0.5000"), ("test loss", "0.2500"), ("images/s", "1,234")):
        assert heading(EPOCH).index(title) + len(title) == line.index(value) + len(value)


def test_each_head_has_a_line_if_there_are_several() -> None:
    total, aux, main = lines(ONE | SEVERAL)
    assert total == lines(ONE)[0]
    assert aux.split() == ["aux", "2.0000", "50.00", "%", "-", "-"]
    assert main.split() == ["main", "0.5000", "-", "0.2500", "-"]
    assert aux.index("2.0000") == main.index("0.5000") == total.index("0.5000")


PROGRESS = Progress("train", 2, 10, 5, 40, ONE | SEVERAL, 0.1, 99.0, 0.034, None, 200.0)


def test_a_line_of_a_log_has_the_totals() -> None:
    assert progress_line(PROGRESS) == (
        "epoch 2/10: batch 5 of 40, accuracy 75.00 %, loss 0.5000, 99 images/s, 3 % waiting for data, "
        "3 min 20 s left"
    )
    testing = replace(PROGRESS, phase="evaluate", batch=1, batches=3, seconds_left=None)
    assert progress_line(testing) == "epoch 2/10: testing, batch 1 of 3"
    assert ", 41 % of the device's peak, " in progress_line(replace(PROGRESS, of_peak=0.412))


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_the_live_display_fits_its_terminal(width: int) -> None:
    lines = live_lines(replace(PROGRESS, of_peak=0.412, images_per_second=123456.0), width)
    assert max(map(len, lines)) <= width
    assert ", ".join(line.strip() for line in lines) == (
        "accuracy 75.00 %, loss 0.5000, 123,456 images/s, 3 % waiting for data, 41 % of the device's peak"
    )
    assert len(lines) == {40: 3, 60: 2, 80: 2, 200: 1}[width]
