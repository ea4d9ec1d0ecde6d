"""Pictures of what a head's answer about an image depends on: occlusion, Grad-CAM, gradients of the input."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor

from cnncli.algebra import whole_shape
from cnncli.analysis.looking import ancestors, fields_of, map_named, maps_before, windowed
from cnncli.diagnostics import shortened, usage_error
from cnncli.graph import Node
from cnncli.results.looking import Looked
from cnncli.results.training import Reading
from cnncli.training.looking.asked import Asked
from cnncli.training.looking.goals import Goal, goal_of
from cnncli.training.looking.gradients import gradcam, input_gradient, saliency
from cnncli.training.looking.images import Batch, check_pictures, class_of, pictures_of, shown
from cnncli.training.looking.occlusion import (
    Windows,
    occlusion,
    place_of,
    windows_of_layer,
    windows_of_size,
)
from cnncli.training.looking.opened import Opened
from cnncli.training.looking.pixels import of_image
from cnncli.training.looking.showing import form_of
from cnncli.training.pictures.heat import Heat, Place, heats

_NAME: Final = 24


class _Explained(NamedTuple):
    """An image, the goal, what is shown of it, and a map with where it lies."""

    one: Batch
    goal: Goal
    shown: float
    map: Tensor
    place: Place


def occlusions(opened: Opened, asked: Asked, reading: Reading) -> tuple[Looked, bytes]:
    """Show how what is said of images changes where a window is hidden.

    Raises:
        UsageError: there is no such image, layer, head or class, or the window does not fit.
    """
    windows, facts = _windows(opened, asked)
    found = []
    for one in _pictures(opened, asked, reading):
        goal = goal_of(opened, asked.head, asked.target, one.inputs)
        values = occlusion(opened, goal, one.inputs, windows)
        found.append(_explained(opened, one, goal, values, windows.place))
    rows = []
    for each in found:
        lowest = int(each.map.argmin())
        (top, bottom), (left, right) = windows.hulls[lowest]
        hidden = {"rows": f"{top}..{bottom - 1}", "columns": f"{left}..{right - 1}"}
        rows.append(
            _row(each) | {"lowest": float(each.map.min()), **hidden, "highest": float(each.map.max())}
        )
    note = f"each place: what is said with {facts['window']} pixels around it hidden, by the mean color"
    content = _drawn(opened, asked, found, "with a part hidden", note, colors="viridis")
    return _looked(opened, asked, facts, tuple(rows), found), content


def _windows(opened: Opened, asked: Asked) -> tuple[Windows, Mapping[str, Any]]:
    """Return what is hidden: what positions of a layer see, or windows of a size, and how large that is."""
    sides = opened.input[1:]
    check_pictures(opened)
    if asked.window is not None:
        if asked.layer is not None:
            message = "a window has a size or is what a layer sees, not both"
            raise usage_error(message, expected="'window' or 'layer'", received="both")
        stride = asked.stride or max(1, asked.window // 2)
        windows = windows_of_size(asked.window, stride, sides)
        return windows, {"window": f"{asked.window}x{asked.window}", "stride": f"{stride}x{stride}"}
    if asked.stride is not None:
        raise usage_error("a stride needs a window", expected="'window' with it")
    fields, head = fields_of(opened.graph), opened.head(asked.head)
    node = (
        windowed(opened.graph, head, fields) if asked.layer is None else map_named(opened.graph, asked.layer)
    )
    axes = fields[node.name].axes
    if axes is None:
        message = f"every position of '{node.name}' sees the whole image"
        raise usage_error(message, expected="a layer whose positions see parts of it")
    windows = windows_of_layer(axes, whole_shape(node.output_shape)[1:], sides)
    jumps = "x".join("?" if axis.jump is None else str(axis.jump) for axis in axes)
    return windows, {"layer": node.name, "window": "x".join(str(axis.size) for axis in axes), "stride": jumps}


def gradcams(opened: Opened, asked: Asked, reading: Reading) -> tuple[Looked, bytes]:
    """Show which places of a layer speak for a class, by Grad-CAM.

    Raises:
        UsageError: there is no such image, layer, head or class, or the head does not depend on the layer.
    """
    check_pictures(opened)
    node = _layer(opened, asked)
    sides, fields = opened.input[1:], fields_of(opened.graph)
    place = place_of(fields[node.name].axes, whole_shape(node.output_shape)[1:], sides)
    found = []
    for one in _pictures(opened, asked, reading):
        goal = goal_of(opened, asked.head, asked.target, one.inputs)
        (values,) = gradcam(opened, goal, node.name, one.inputs).cpu()
        found.append(_explained(opened, one, goal, values, place))
    rows = tuple(_row(each) | {"largest": float(each.map.max())} for each in found)
    note = f"Grad-CAM at {node.name}: positive sums of its channels, weighted by their mean gradients"
    content = _drawn(opened, asked, found, "Grad-CAM", note, smooth=True)
    return _looked(opened, asked, {"layer": node.name}, rows, found), content


def _layer(opened: Opened, asked: Asked) -> Node:
    """Return the layer that is asked for, or the last one with maps.

    Raises:
        UsageError: the head does not depend on it.
    """
    head = opened.head(asked.head)
    if asked.layer is None:
        return maps_before(opened.graph, head)[-1]
    node = map_named(opened.graph, asked.layer)
    if node.name not in ancestors(opened.graph, [opened.graph.outputs[head].node]):
        raise usage_error(f"head '{head}' does not depend on '{node.name}'", expected="a layer before it")
    return node


def gradients(opened: Opened, asked: Asked, reading: Reading) -> tuple[Looked, bytes]:
    """Show how much a small change of each pixel would change a score.

    Raises:
        UsageError: there is no such image, head or class.
    """
    check_pictures(opened)
    height, width = opened.input[1:]
    place = Place(-0.5, height - 0.5, -0.5, width - 0.5)
    found = []
    for one in _pictures(opened, asked, reading):
        goal = goal_of(opened, asked.head, asked.target, one.inputs)
        (values,) = saliency(input_gradient(opened, goal, one.inputs)).cpu()
        found.append(_explained(opened, one, goal, values, place))
    rows = tuple(_row(each) | {"largest": float(each.map.max())} for each in found)
    note = "the gradient of the score at each pixel: the largest of its channels, without its sign"
    content = _drawn(opened, asked, found, "gradient", note)
    return _looked(opened, asked, {}, rows, found), content


def _pictures(opened: Opened, asked: Asked, reading: Reading) -> list[Batch]:
    return pictures_of(opened, asked.images, reading)


def _explained(opened: Opened, one: Batch, goal: Goal, values: Tensor, place: Place) -> _Explained:
    node = opened.trained.outputs[goal.head].node
    with torch.inference_mode():
        said = float(goal.shown(opened.values_with_logits([node])(one.inputs)[node])[0])
    return _Explained(one, goal, said, values, place)


def _row(each: _Explained) -> dict[str, Any]:
    return {
        "image": each.one.files[0],
        "true": class_of(each.one),
        "class": each.goal.name,
        each.goal.shows: each.shown,
    }


def _drawn(
    opened: Opened,
    asked: Asked,
    found: list[_Explained],
    what: str,
    note: str,
    *,
    colors: str = "magma",
    smooth: bool = False,
) -> bytes:
    rows = []
    for each in found:
        (image,) = shown(opened, each.one.inputs)
        label = class_of(each.one)
        first = (
            f"true: {shortened(label, _NAME)}" if label else shortened(Path(each.one.files[0]).name, _NAME)
        )
        said = f"{shortened(each.goal.name, _NAME)}: {_said(each)}"
        low = float(each.map.min()) if what == "with a part hidden" else 0.0
        captions = (first, said, what)
        rows.append(Heat(of_image(image), each.map.numpy(), each.place, low, float(each.map.max()), captions))
    title = f"{opened.name}: what its answer depends on"
    return heats(rows, title, (note,), form_of(asked), colors=colors, smooth=smooth)


def _said(each: _Explained) -> str:
    return f"{100 * each.shown:.1f} %" if each.goal.shows == "probability" else f"{each.shown:.4g}"


def _looked(
    opened: Opened,
    asked: Asked,
    facts: Mapping[str, Any],
    rows: tuple[Mapping[str, Any], ...],
    found: list[_Explained],
) -> Looked:
    values = {each.one.files[0]: each.map for each in found}
    return Looked(asked.what, opened.name, opened.weights, facts, rows, asked.output, (), values)
