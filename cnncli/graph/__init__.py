"""The graph that every analysis and the torch network share, and how a spec becomes one."""

from cnncli.graph.graph import Bound, Graph, Node, Output
from cnncli.graph.input import Size
from cnncli.graph.load import (
    Chosen,
    Opened,
    all_sizes,
    open_again,
    open_spec,
    open_text,
    read_budget,
    read_recipe,
)

__all__ = [
    "Bound",
    "Chosen",
    "Graph",
    "Node",
    "Opened",
    "Output",
    "Size",
    "all_sizes",
    "open_again",
    "open_spec",
    "open_text",
    "read_budget",
    "read_recipe",
]
