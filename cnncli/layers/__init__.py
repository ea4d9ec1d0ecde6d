"""What each kind of layer is: its arguments, its shape rule, its parameters, its cost."""

from cnncli.layers import activation, capsules, conv, dense, joins, norm, pooling, regularization, shaping
from cnncli.layers.kind import (
    Elementwise,
    Example,
    FromInput,
    FromOutput,
    Kind,
    Layer,
    Require,
    Shape,
    Tensors,
    UnderShift,
    Weightless,
    shape_text,
)
from cnncli.layers.memory.spaces import Saved, Space
from cnncli.layers.registry import KINDS, KindVocabulary, layer

__all__ = [
    "KINDS",
    "Elementwise",
    "Example",
    "FromInput",
    "FromOutput",
    "Kind",
    "KindVocabulary",
    "Layer",
    "Require",
    "Saved",
    "Shape",
    "Space",
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
    "regularization",
    "shape_text",
    "shaping",
]
