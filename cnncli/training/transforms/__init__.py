"""What the transforms of :mod:`cnncli.recipe.transforms` do, on whole batches."""

from cnncli.training.transforms import automatic, color, copies, pixels
from cnncli.training.transforms.alters import CORRUPTION, held_out_alters, margin_notes, training_alters
from cnncli.training.transforms.mixes import MIXES
from cnncli.training.transforms.pipeline import Pipeline, draws_of, moves_anything
from cnncli.training.transforms.registry import CHANGES
from cnncli.training.transforms.warps import MAPS

__all__ = [
    "CHANGES",
    "CORRUPTION",
    "MAPS",
    "MIXES",
    "Pipeline",
    "automatic",
    "color",
    "copies",
    "draws_of",
    "held_out_alters",
    "margin_notes",
    "moves_anything",
    "pixels",
    "training_alters",
]
