"""A graph as the text of one Python module that needs torch alone."""

from cnncli.exporting.python.kinds import CALLS, JOINS
from cnncli.exporting.python.module import python_source

__all__ = ["CALLS", "JOINS", "python_source"]
