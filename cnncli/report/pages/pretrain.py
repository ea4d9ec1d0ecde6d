"""The output of ``cnncli pretrain``."""

from __future__ import annotations

import shlex
from typing import Final

from cnncli.diagnostics import counted
from cnncli.report.terminal import Screen
from cnncli.report.text.escapes import printable
from cnncli.report.text.numbers import duration
from cnncli.results.pretraining import LayerEpoch, Pretrained, PretrainingBegun

_ERROR: Final = "error"


class Shown:
    """Shows a pretraining, line by line."""

    def __init__(self, screen: Screen, spec: str) -> None:
        self._screen = screen
        self._spec = spec
        self._width = 0
        self._epochs = 0

    def begun(self, about: PretrainingBegun) -> None:
        """Show what is about to happen, and the heading of the lines of epochs."""
        self._width = max(len("layer"), *(len(each.name) for each in about.layers))
        self._epochs = about.epochs
        images = counted(about.images, "image")
        self._line(f"{printable(about.name)} on {about.device}, folder {printable(str(about.folder))}")
        self._line(f"{printable(about.source)}: {images}, without their labels")
        for note in about.notes:
            self._line(f"  {printable(note)}", "note")
        for number, each in enumerate(about.layers):
            kind = about.visible if number == 0 else "binary"
            units = f"{each.visible:,} {kind} visible units, {each.hidden:,} hidden units"
            self._line(f"{printable(each.name)}: {units}")
        whole = about.epochs * len(about.layers)
        if about.finished:
            self._line(f"continues after {about.finished} of {whole} epochs", "note")
        if about.finished < whole:
            self._line()
            self._line(f"{'layer':{self._width}}  epoch  {_ERROR:>8}  time", "heading")

    def ended(self, epoch: LayerEpoch) -> None:
        """Show an epoch."""
        count = f"{epoch.epoch}/{self._epochs}"
        name = printable(epoch.layer)
        self._line(f"{name:{self._width}}  {count:>5}  {epoch.error:8.5f}  {duration(epoch.seconds)}")

    def finished(self, found: Pretrained) -> None:
        """Show where the weights are, and what to do next."""
        self._line()
        self._line(f"{printable(str(found.weights))}: the weights of the layers", "good")
        if found.filters is not None:
            self._line(f"{printable(str(found.filters))}: those of the first layer as pictures", "good")
        resets = "".join(f" --reset {shlex.quote(each)}" for each in found.reset)
        spec, folder = shlex.quote(self._spec), shlex.quote(str(found.folder))
        self._line("train from them with:", "note")
        self._line(f"  {printable(f'cnncli train {spec} --from {folder}{resets}')}", "note")

    def _line(self, text: str = "", role: str = "") -> None:
        self._screen.line(text, role)
        self._screen.flush()
