"""What each kind of layer does in torch, and the network of a graph."""

from cnncli.network import activation, capsules, conv, dense, joins, norm, pooling, regularization, shaping
from cnncli.network.network import Network, build_network
from cnncli.network.registry import BUILDERS, NoOperationError, builder

__all__ = [
    "BUILDERS",
    "Network",
    "NoOperationError",
    "activation",
    "build_network",
    "builder",
    "capsules",
    "conv",
    "dense",
    "joins",
    "norm",
    "pooling",
    "regularization",
    "shaping",
]
