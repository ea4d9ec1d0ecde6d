"""What each kind of layer is: its arguments, its shape rule, its parameters, its cost."""

from cnncli.layers import activation, capsules, conv, dense, joins, norm, pooling, regularising, shaping
from cnncli.layers.kind import (
    Elementwise,
    Example,
    Kind,
    Layer,
    Require,
    Shape,
    Tensors,
    UnderShift,
    Weightless,
    shape_text,
)
from cnncli.layers.registry import KINDS, KindVocabulary, layer

__all__ = [
    "KINDS",
    "Elementwise",
    "Example",
    "Kind",
    "KindVocabulary",
    "Layer",
    "Require",
    "Shape",
    "Tensors",
    "UnderShift",
    "Weightless",
    "activation",
    "capsules",
    "conv",
    "dense",
    "joins",
    "layer",
    "norm",
    "pooling",
    "regularising",
    "shape_text",
    "shaping",
]
