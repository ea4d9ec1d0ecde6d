"""The bytes of a model, with weights that are copied once.

Protocol buffers would copy them five times, from the array to the bytes of the file. A message is a sequence
of fields in any order, each with a tag: its number times 8, plus 2 if a length and as many bytes follow
(https://protobuf.dev/programming-guides/encoding). The numbers are those of onnx.proto.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

from onnx import GraphProto, ModelProto, TensorProto

from cnncli.exporting.subject import Array

Part: TypeAlias = "bytes | memoryview"

_GRAPH: Final = ModelProto.GRAPH_FIELD_NUMBER
_INITIALIZER: Final = GraphProto.INITIALIZER_FIELD_NUMBER
_RAW: Final = TensorProto.RAW_DATA_FIELD_NUMBER


def content_of(model: ModelProto, weights: Mapping[str, Array]) -> bytes:
    """Return the bytes of a model whose graph gets weights in addition, float32."""
    if not weights:
        whole: bytes = model.SerializeToString()
        return whole
    outside = ModelProto()
    outside.CopyFrom(model)
    outside.ClearField("graph")
    graph = [
        model.graph.SerializeToString(),
        *(part for item in weights.items() for part in _initializer(*item)),
    ]
    return b"".join((outside.SerializeToString(), *_field(_GRAPH, graph)))


def _initializer(name: str, value: Array) -> Iterator[Part]:
    """Yield a tensor as a field of a graph."""
    about = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=value.shape).SerializeToString()
    numbers = value.astype("<f4", copy=False).reshape(-1).data.cast("B")
    yield from _field(_INITIALIZER, [about, *_field(_RAW, [numbers])])


def _field(number: int, parts: list[Part]) -> Iterator[Part]:
    """Yield a field that consists of bytes."""
    yield _varint(number << 3 | 2)
    yield _varint(sum(len(part) for part in parts))
    yield from parts


def _varint(value: int) -> bytes:
    """Return a number in groups of 7 bits, the lowest first; all but the last have the highest bit set."""
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
