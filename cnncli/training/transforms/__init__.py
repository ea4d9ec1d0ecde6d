"""What the transforms of :mod:`cnncli.recipe.transforms` do, on whole batches."""

from cnncli.training.transforms import copies
from cnncli.training.transforms.pipeline import Pipeline
from cnncli.training.transforms.registry import CHANGES

__all__ = ["CHANGES", "Pipeline", "copies"]
