"""The graph that every analysis and the trained network share, and how a spec becomes one."""

from cnncli.graph.graph import Graph, Node, Output
from cnncli.graph.load import Opened, open_spec, open_text, read_budget, read_train

__all__ = ["Graph", "Node", "Opened", "Output", "open_spec", "open_text", "read_budget", "read_train"]
