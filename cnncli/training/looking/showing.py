"""Pictures of what layers have learned: their kernels, their maps, the patches that excite them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import ceil, sqrt
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from cnncli.algebra import whole_shape
from cnncli.analysis.looking import fields_of, hulls, is_map, map_named, maps_before, node_named, steps
from cnncli.analysis.space.receptive_field import Axis
from cnncli.diagnostics import counted, listing, shortened, usage_error
from cnncli.graph import Graph, Node
from cnncli.layers import shape_text
from cnncli.limits import MAX_DRAWN_KERNELS, MAX_DRAWN_ROWS
from cnncli.recipe.metrics import TRAIN
from cnncli.results.looking import Looked
from cnncli.results.training import Reading
from cnncli.training.looking.asked import Asked
from cnncli.training.looking.images import Images, check_pictures, class_of, images_of, pictures_of, shown
from cnncli.training.looking.opened import Opened
from cnncli.training.looking.patches import Excited, most_excited
from cnncli.training.looking.pixels import cut, of_image, of_kernel, of_map
from cnncli.training.pictures.canvas import Row, Tile, gallery
from cnncli.training.pictures.drawing import FORMS, Form

_KERNEL_AXES: Final = 4
_COLORS: Final = 3
_ACROSS: Final = 16
"""Tiles of a row at most."""
_CHANNELS: Final = 12
_PATCHES: Final = 9
_NAME: Final = 12


def form_of(asked: Asked) -> Form:
    """Return the form of the picture that is asked for."""
    return FORMS[asked.output.suffix.lower().removeprefix(".")]


def filters(opened: Opened, asked: Asked, _: Reading) -> tuple[Looked, bytes]:
    """Show the kernels of a layer: in color those of three channels, in gray those of one, else by channel.

    Raises:
        UsageError: there is no such layer, or it has no kernels.
    """
    node = _with_kernels(opened, asked.layer)
    weight = opened.network.get_parameter(f"{node.name}.weight").detach().cpu()
    count, channels, height, width = weight.shape
    most = float(weight.abs().max())
    in_color = channels in (1, _COLORS)
    rows = [*(_whole_kernels(weight, most) if in_color else _kernels_by_channel(weight, most))]
    drawn = min(count, MAX_DRAWN_KERNELS if in_color else MAX_DRAWN_ROWS)
    title = f"{opened.name}: {counted(count, 'kernel')} of {node.name}, {channels}x{height}x{width} each"
    notes = [f"black: {-most:.3g}, gray: 0, white: {most:.3g}"]
    if in_color and channels == _COLORS:
        notes = [f"red, green and blue: from {-most:.3g} over 0 (gray) to {most:.3g}"]
    if not in_color:
        notes.append("a row for each kernel, a column for each of its channels")
    left_out = _cut_notes(count, drawn, "kernels")
    if not in_color:
        left_out += _cut_notes(channels, min(channels, _ACROSS), "channels of each")
    side = 0.62 if len(rows[0].tiles) <= _ACROSS // 2 else 0.42
    content = gallery(rows, title, (*notes, *left_out), form_of(asked), side=side, gap=0.05)
    facts = {"layer": node.name, "kernels": count, "shape": f"{channels}x{height}x{width}", "largest": most}
    return _looked(opened, asked, facts, (), left_out, {"weight": weight}), content


def _with_kernels(opened: Opened, name: str | None) -> Node:
    """Return a layer by its name, for None the first one with kernels.

    Raises:
        UsageError: it has no kernels.
    """

    def has(node: Node) -> bool:
        return len(node.parameters.get("weight", ())) == _KERNEL_AXES

    able = [node for node in opened.graph.nodes if has(node)]
    if name is None and able:
        return able[0]
    node = None if name is None else node_named(opened.graph, name)
    if node is None or not has(node):
        raise usage_error(
            f"{opened.name} has no layer with kernels" if node is None else f"'{node.name}' has no kernels",
            expected="a layer with kernels of height and width",
            received="" if node is None else node.kind,
            hint=f"layers with kernels: {listing([each.name for each in able], 8)}" if able else "",
        )
    return node


def _whole_kernels(weight: Tensor, most: float) -> Iterator[Row]:
    """Yield rows of kernels with one or three channels, each one tile, as wide as the picture is high."""
    shown_of = weight[:MAX_DRAWN_KERNELS]
    across = min(_ACROSS, max(4, ceil(sqrt(1.6 * len(shown_of)))))
    for start in range(0, len(shown_of), across):
        some = shown_of[start : start + across]
        yield Row((f"{start}",), tuple(Tile(of_kernel(each, most)) for each in some))


def _kernels_by_channel(weight: Tensor, most: float) -> Iterator[Row]:
    for number, kernel in enumerate(weight[:MAX_DRAWN_ROWS]):
        tiles = (Tile(of_kernel(channel.unsqueeze(0), most)) for channel in kernel[:_ACROSS])
        yield Row((f"{number}",), tuple(tiles))


def maps(opened: Opened, asked: Asked, reading: Reading) -> tuple[Looked, bytes]:
    """Show what the channels of layers compute of an image, layer by layer.

    Raises:
        UsageError: there is no such image or layer, or the network has no maps.
    """
    pictures = pictures_of(opened, asked.images, reading)
    if len(pictures) > 1:
        received = listing([each.files[0] for each in pictures], 4)
        raise usage_error("maps are those of one image", expected="one image", received=received)
    (one,) = pictures
    (image,) = shown(opened, one.inputs)
    if asked.layer is None:
        nodes = steps(opened.graph, opened.head(None))
        chosen = _spread(nodes, MAX_DRAWN_ROWS)
        notes = _cut_notes(len(nodes), len(chosen), "layers")
    else:
        chosen, notes = [map_named(opened.graph, asked.layer)], ()
    with torch.inference_mode():
        values = opened.values([node.name for node in chosen])(one.inputs)
    found = {name: each[0].cpu() for name, each in values.items()}
    label = class_of(one)
    rows = [Row(("input",), (Tile(of_image(image), (label,) if label else ()),))]
    for node in chosen:
        rows += _map_rows(node, found[node.name], MAX_DRAWN_KERNELS if asked.layer else _ACROSS)
    title = f"{opened.name}: what its layers compute of {Path(one.files[0]).name}"
    notes = ("each layer from its smallest value, black, to its largest, white", *notes)
    content = gallery(rows, title, notes, form_of(asked), side=0.6, gap=0.05)
    told = tuple(_map_facts(node, found[node.name]) for node in chosen)
    facts = {"image": one.files[0], "true": label}
    return _looked(opened, asked, facts, told, notes[1:], found), content


def _spread(nodes: Sequence[Node], most: int) -> list[Node]:
    """Return some nodes of many, evenly, with the first and the last."""
    count = min(most, len(nodes))
    return [nodes[place * (len(nodes) - 1) // max(1, count - 1)] for place in range(count)]


def _map_rows(node: Node, values: Tensor, most: int) -> Iterator[Row]:
    low, high = float(values.min()), float(values.max())
    channels, height, width = values.shape
    some = values[:most]
    for start in range(0, len(some), _ACROSS):
        tiles = tuple(Tile(of_map(each, low, high)) for each in some[start : start + _ACROSS])
        cut_to = f"{len(some)} of {channels}" if len(some) < channels else f"{channels}"
        noun = "channel" if channels == 1 else "channels"
        label = (node.name, f"{cut_to} {noun}, {height}x{width}", f"{low:.2g} to {high:.2g}")
        yield Row(label if start == 0 else (f"{start}",), tiles)


def _map_facts(node: Node, values: Tensor) -> Mapping[str, Any]:
    strongest = int(values.flatten(1).amax(1).argmax())
    return {
        "layer": node.name,
        "output": shape_text(node.output_shape),
        "smallest": float(values.min()),
        "largest": float(values.max()),
        "in channel": strongest,
    }


def patches(opened: Opened, asked: Asked, reading: Reading) -> tuple[Looked, bytes]:
    """Show the patches of images that excite channels of a layer most.

    Raises:
        UsageError: there is no such layer or channel, or the images cannot be shown.
    """
    check_pictures(opened)
    graph = opened.graph
    node = (
        maps_before(graph, opened.head(None))[-1] if asked.layer is None else node_named(graph, asked.layer)
    )
    _check_channels(node, asked.channels)
    words = asked.data or (opened.run.record.data.source,)
    images = images_of(opened, words, asked.split, reading, TRAIN)
    every = range(whole_shape(node.output_shape)[0])
    found = most_excited(opened, node.name, asked.channels or every, images, _PATCHES, reading)
    channels, found, notes = _strongest(found, asked.channels or tuple(every), bool(asked.channels))
    cutting = _cutter(graph, node, opened.input[1:])
    title = f"{opened.name}: patches that excite {node.name} most"
    rows = _patch_rows(opened, found, channels, images, cutting)
    size = _size(graph, node, opened.input[1:])
    notes = (f"{size} of {images.what}, below each the value and the class", *notes)
    content = gallery(rows, title, notes, form_of(asked), side=0.75)
    told = tuple(_patch_facts(found, channels, images, node, cutting))
    facts = {"layer": node.name, "receptive field": size, "images": images.what}
    looked = _looked(opened, asked, facts, told, (*notes[1:], *images.notes), found._asdict())
    return looked, content


def _with_channels(opened: Opened, name: str | None) -> Node:
    """Return a layer with maps or a vector by its name, for None the last one with maps.

    Raises:
        UsageError: there is none, or it has other axes.
    """
    if name is None:
        return maps_before(opened.graph, opened.head(None))[-1]
    node = node_named(opened.graph, name)
    return node if len(node.output_shape) == 1 else map_named(opened.graph, name)


def _check_channels(node: Node, asked: tuple[int, ...]) -> None:
    """Check that a layer has these channels.

    Raises:
        UsageError: there is none of a number.
    """
    count = whole_shape(node.output_shape)[0]
    for each in asked:
        if not 0 <= each < count:
            message = f"'{node.name}' has no channel {each}"
            raise usage_error(message, expected=f"0 to {count - 1}", received=str(each))


def _strongest(
    found: Excited, channels: tuple[int, ...], were_asked: bool
) -> tuple[tuple[int, ...], Excited, tuple[str, ...]]:
    """Return the channels to show, those that were asked for or those with the largest values, and a note.

    A channel that no image excites is then left out before all others.
    """
    if were_asked or len(channels) <= _CHANNELS:
        return channels, found, ()
    order = found.values[:, 0].sort(descending=True, stable=True).indices[:_CHANNELS].sort().values
    note = f"the {_CHANNELS} of {len(channels):,} channels with the largest values"
    return tuple(order.tolist()), Excited(*(each[order] for each in found)), (note,)


_Cutter = Callable[[int], tuple[tuple[int, int], tuple[int, int]]]


def _cutter(graph: Graph, node: Node, sides: tuple[int, ...]) -> _Cutter:
    """Return what gives the rows and columns that a position of a layer, by its number, sees of an image."""
    axes = _axes(graph, node)
    whole = ((0, sides[0]), (0, sides[1]))
    if axes is None:
        return lambda _: whole
    width = whole_shape(node.output_shape)[2]

    def seen(position: int) -> tuple[tuple[int, int], tuple[int, int]]:
        rows, columns = hulls(axes, divmod(position, width))
        return rows, columns

    return seen


def _axes(graph: Graph, node: Node) -> tuple[Axis, ...] | None:
    """Return what the positions of a layer see along each axis; None if that is the whole image."""
    return fields_of(graph)[node.name].axes if len(node.output_shape) > 1 else None


def _size(graph: Graph, node: Node, sides: tuple[int, ...]) -> str:
    axes = _axes(graph, node)
    if axes is None:
        return f"all {sides[0]}x{sides[1]} pixels"
    return f"{axes[0].size}x{axes[1].size} pixels"


def _patch_rows(
    opened: Opened, found: Excited, channels: Sequence[int], images: Images, cutting: _Cutter
) -> list[Row]:
    numbers = sorted({*found.images.flatten().tolist()})
    pictures = dict(zip(numbers, map(of_image, shown(opened, images.chosen(numbers))), strict=True))
    rows = []
    for channel, *of_channel in zip(channels, *(each.tolist() for each in found), strict=True):
        tiles = []
        for value, number, position, label in zip(*of_channel, strict=True):
            name = (shortened(images.classes[label], _NAME),) if label >= 0 else ()
            tiles.append(Tile(cut(pictures[number], cutting(position)), (f"{value:.3g}", *name)))
        same = len({*of_channel[0]}) == 1 and len(tiles) > 1
        rows.append(Row((f"channel {channel}", *(["all equal"] if same else [])), tuple(tiles)))
    return rows


def _patch_facts(
    found: Excited, channels: Sequence[int], images: Images, node: Node, cutting: _Cutter
) -> Iterator[Mapping[str, Any]]:
    width = whole_shape(node.output_shape)[2] if is_map(node) else 1
    for channel, *of_channel in zip(channels, *(each.tolist() for each in found), strict=True):
        for value, number, position, label in zip(*of_channel, strict=True):
            (top, bottom), (left, right) = cutting(position)
            yield {
                "channel": channel,
                "value": value,
                "image": number,
                "class": images.classes[label] if label >= 0 else "",
                "position": f"{position // width},{position % width}",
                "rows": f"{top}..{bottom - 1}",
                "columns": f"{left}..{right - 1}",
            }


def _cut_notes(count: int, drawn: int, what: str) -> tuple[str, ...]:
    return (f"{drawn} of {count:,} {what}",) if drawn < count else ()


def _looked(
    opened: Opened,
    asked: Asked,
    facts: Mapping[str, Any],
    rows: tuple[Mapping[str, Any], ...],
    notes: tuple[str, ...],
    values: Mapping[str, Any],
) -> Looked:
    return Looked(asked.what, opened.name, opened.weights, facts, rows, asked.output, notes, values)
