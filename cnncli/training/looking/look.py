"""Looking into the network of a run: one question, answered by a picture and a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from cnncli.results.looking import Looked
from cnncli.results.training import Reading
from cnncli.training.extras import need
from cnncli.training.looking.asked import FILTERS, GRADCAM, GRADIENT, MAPS, OCCLUSION, PATCHES, Asked
from cnncli.training.looking.explaining import gradcams, gradients, occlusions
from cnncli.training.looking.opened import Opened, open_trained
from cnncli.training.looking.showing import filters, maps, patches
from cnncli.training.new_files import check_new, write_new
from cnncli.training.pictures.drawing import FORMS

_ANSWERS: Final[Mapping[str, Callable[[Opened, Asked, Reading], tuple[Looked, bytes]]]] = {
    FILTERS: filters,
    MAPS: maps,
    PATCHES: patches,
    OCCLUSION: occlusions,
    GRADCAM: gradcams,
    GRADIENT: gradients,
}


def look_into(folder: Path, asked: Asked, device: str, reading: Reading = None) -> Looked:
    """Draw what is asked for of the network of a run into a new file.

    Raises:
        CnncliError: there is no such run, layer, image or class, a setting has no effect, or the file exists
            or cannot be written.
    """
    asked.check()
    need("matplotlib", purpose="drawing")
    check_new(asked.output, [f".{form}" for form in FORMS])
    looked, content = _ANSWERS[asked.what](open_trained(folder, asked.weights, device), asked, reading)
    write_new(asked.output, content)
    return looked
