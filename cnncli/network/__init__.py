"""What each kind of layer does, in torch; graph -> module."""

from cnncli.network import activation, capsules, conv, dense, joins, norm, pooling, regularization, shaping
from cnncli.network.network import Network, compile_graph
from cnncli.network.registry import BUILDERS, NoOperationError, builder

__all__ = [
    "BUILDERS",
    "Network",
    "NoOperationError",
    "activation",
    "builder",
    "capsules",
    "compile_graph",
    "conv",
    "dense",
    "joins",
    "norm",
    "pooling",
    "regularization",
    "shaping",
]
