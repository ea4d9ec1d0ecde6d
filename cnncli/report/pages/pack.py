"""The output of ``cnncli pack``."""

from __future__ import annotations

import shlex

from cnncli.diagnostics import counted, readable_bytes
from cnncli.layers import shape_text
from cnncli.report.terminal import Screen
from cnncli.report.text.escapes import printable
from cnncli.report.text.wrapping import NO_BREAK
from cnncli.results.training import Packed


def packed(screen: Screen, about: Packed) -> None:
    """Show what was packed, every conversion of the data, and what to do next."""
    validation = f", {about.val_count:,} for validation" if about.val_count else ""
    counts = f"{counted(about.train_count, 'image')} to train on{validation}, {about.test_count:,} held out"
    classes = f", {counted(len(about.classes), 'class')}" if about.classes else ""
    screen.line(f"{printable(about.source)}: {counts}{classes}, input {shape_text(about.input_shape)}")
    for note in about.notes:
        screen.line(f"  {printable(note)}", "note")
    screen.line(f"{printable(str(about.folder))}: {readable_bytes(about.nbytes)}", "good")
    source = shlex.quote(printable(f"packed:{about.folder}"))
    screen.line(f"train on it with: {f'cnncli train SPEC --data {source}'.replace(' ', NO_BREAK)}", "note")
