"""For each kind of layer the constructor of its module, and for each join its expression."""

from cnncli.exporting.python.kinds import conv, elementwise, pooling, shaping
from cnncli.exporting.python.kinds.joins import JOINS
from cnncli.exporting.python.kinds.registry import CALLS

__all__ = ["CALLS", "JOINS", "conv", "elementwise", "pooling", "shaping"]
