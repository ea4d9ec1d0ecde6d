from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import matplotlib as mpl
import pytest
from PIL import Image

from cnncli.diagnostics import UsageError
from cnncli.training.pictures.drawing import DPI, Form, drawn

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def lines(figure: Figure) -> None:
    axes = figure.subplots()
    axes.plot([1, 2, 3], [3, 1, 2], label="$ größe 日本 <&")
    axes.legend()


@pytest.mark.parametrize("form", ["svg", "png"])
def test_a_figure_is_the_same_file_each_time(form: Form) -> None:
    assert drawn(lines, 3, 2, form) == drawn(lines, 3, 2, form)


def test_files_are_what_they_are_called(tmp_path: Path) -> None:
    assert ET.fromstring(drawn(lines, 3, 2, "svg")).tag.endswith("svg")  # noqa: S314 - our own
    (tmp_path / "x.png").write_bytes(drawn(lines, 3, 2, "png"))
    with Image.open(tmp_path / "x.png") as picture:
        assert (picture.format, picture.size) == ("PNG", (3 * DPI, 2 * DPI))


def test_settings_of_others_have_no_effect() -> None:
    """matplotlib reads a file matplotlibrc, also where the command runs, and keeps settings for all."""
    plain = drawn(lines, 3, 2, "svg")
    with mpl.rc_context({"axes.facecolor": "black", "text.parse_math": True}):
        assert drawn(lines, 3, 2, "svg") == plain
        assert mpl.rcParams["axes.facecolor"] == "black"


def test_without_matplotlib_a_message_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnncli.training.extras.find_spec", lambda _: None)
    with pytest.raises(UsageError, match="drawing needs matplotlib, which is not installed") as caught:
        drawn(lines, 3, 2, "svg")
    assert caught.value.diagnostics[0].hint == "pip install 'cnncli[train]'"
