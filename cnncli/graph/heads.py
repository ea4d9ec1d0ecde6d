"""The outputs of a network as a training sees them: what trains each, and what it is computed from.

Cross-entropy takes logits. A network that ends in softmax, as lectures and papers draw it, is trained on the
values before it (:func:`with_logits`): the loss of these is the logarithm of the softmax, computed without an
exponential that is too large, and the same class is the likeliest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple, TypeAlias

from cnncli.algebra import product, whole_shape
from cnncli.diagnostics import Diagnostic, did_you_mean, listing
from cnncli.graph.graph import Graph, Node
from cnncli.language.description import OUTPUT
from cnncli.layers import Shape, shape_text
from cnncli.layers.activation import LogSoftmax, Softmax
from cnncli.layers.joins import Add, Concat
from cnncli.layers.pooling import GlobalAvgPool
from cnncli.layers.regularization import Regularizing
from cnncli.layers.shaping import Identity
from cnncli.recipe.columns import CLASS, FORMS, INPUT, LABEL, MASK, NUMBER, PICTURE, TAGS, USUAL
from cnncli.recipe.criteria import CRITERIA, DEFAULT_CRITERION
from cnncli.recipe.losses import LOSSES, Loss
from cnncli.recipe.recipe import Recipe
from cnncli.recipe.tasks import Task

NOT_PROBABILITIES: Final = "not-probabilities"
"""The code of a diagnostic about a softmax at the end from which no loss can be computed."""

BOUNDED_LOGITS: Final = "bounded-logits"
"""The code of a diagnostic about an output whose activation leaves out some logits."""


class Ending(NamedTuple):
    """What layers say of an output: its criterion, the last kind that computes anything, and its shape."""

    criterion: str
    ends_in: str
    shape: Shape


class Head(NamedTuple):
    """An output: its shape for one sample, and the name of its criterion.

    ``training_only`` is whether it exists in training only, ``ends_in`` the kind of the last layer that
    computes anything.
    """

    shape: tuple[int, ...]
    criterion: str = DEFAULT_CRITERION
    training_only: bool = False
    ends_in: str = ""

    @property
    def ending(self) -> Ending:
        """What its layers say of it."""
        return Ending(self.criterion, self.ends_in, self.shape)


Heads: TypeAlias = Mapping[str, Head]
"""Every output by its name; a network without heads has one, ``output``."""


def heads_of(graph: Graph) -> Heads:
    """Return the heads of a network, in the order of its outputs."""
    return {
        name: Head(whole_shape(each.shape), each.criterion, graph.outputs[name].training_only, each.ends_in)
        for name, each in endings_of(graph).items()
    }


def endings_of(graph: Graph) -> Mapping[str, Ending]:
    """Return what layers say of each output, in the order of the outputs; shapes may be formulas."""
    nodes = {node.name: node for node in graph.nodes}
    endings = {}
    for name, out in graph.outputs.items():
        path = _path(out.node, nodes)
        ends_in = path[-1].kind if path else ""
        endings[name] = Ending(_criterion(out.node, nodes), ends_in, out.shape)
    return endings


def loss_of(task: Task, head: Head | Ending) -> Loss:
    """Return the loss of a head that learns a task: the one that is chosen, or that of its layers."""
    return CRITERIA[head.criterion].loss() if task.loss is None else task.loss


def column_of(task: Task, head: Head | Ending) -> str:
    """Return the name of the column of the data that a head learns."""
    return task.target.of or (LABEL if task.target.map else loss_of(task, head).usual_target(len(head.shape)))


def wrong_tasks(
    tasks: Mapping[str, Task], endings: Mapping[str, Ending], clean_shape: Shape
) -> Iterator[tuple[str, Diagnostic]]:
    """Yield the tasks that no head can learn, each with its error.

    Args:
        tasks: by the names of heads.
        endings: of all heads of the network.
        clean_shape: that of one image before it is corrupted.
    """
    for name, task in tasks.items():
        unknown = unknown_head("tasks", name, endings)
        if unknown is not None:
            yield name, unknown
            continue
        wrong = _wrong_loss(task, endings[name], clean_shape)
        if wrong is not None:
            message = f"{head_name(name)} {wrong.message}"
            yield name, Diagnostic("tasks", message, None, wrong.expected, wrong.received, wrong.hint)


def unknown_head(code: str, name: str, endings: Mapping[str, Ending]) -> Diagnostic | None:
    """Return the error for the name of a head that a network does not have; None if it has it."""
    if name in endings:
        return None
    expected, hint = listing([*endings], last=" or "), did_you_mean(name, endings, "heads")
    message = f"the network has no head '{name}'"
    return Diagnostic(code, message, expected=expected, received=name, hint=hint)


class _Wrong(NamedTuple):
    """Why a head cannot learn a task: a message without the head, what was expected, received, and a hint."""

    message: str
    expected: str
    received: str
    hint: str = ""


def _wrong_loss(task: Task, head: Ending, clean_shape: Shape) -> _Wrong | None:
    """Return why a head cannot learn a task; None if it can."""
    criterion, loss, column = CRITERIA[head.criterion], loss_of(task, head), column_of(task, head)
    chosen = "no loss" if task.loss is None else loss.keyword
    if task.loss is not None and not criterion.can_choose:
        expected = f"no loss: its layers determine it, {criterion.help}"
        return _Wrong(f"is not trained with {chosen}", expected, chosen)
    form = CLASS if task.target.map and column not in USUAL else USUAL.get(column)
    if form is None:  # a column with a name of the data's own: checked where the data is read
        return None
    if form not in loss.accepts:
        return _unsuitable(form, column, chosen)
    if task.target.map and form not in (CLASS, MASK):
        return _Wrong(f"has a map for '{column}', which is not a class", "a map of classes", column)
    of_values = CLASS not in loss.accepts or form == PICTURE
    if of_values and head.ends_in in (Softmax.keyword, LogSoftmax.keyword):
        return _Wrong(f"ends in '{head.ends_in}'", f"values that {FORMS[form].what} can have", head.ends_in)
    return _wrong_shape(form, column, head.shape, clean_shape)


def _unsuitable(form: str, column: str, chosen: str) -> _Wrong:
    """Return that a loss does not compare a head with targets of this form."""
    what = "its input" if column == INPUT else FORMS[form].what
    losses = listing([each.keyword for each in LOSSES.values() if form in each.accepts], last=" or ")
    hint = ""
    if chosen in LOSSES and PICTURE in LOSSES[chosen].accepts:
        hint = f"{{{chosen}: {{}}, target: {INPUT}}} reproduces the input"
    return _Wrong(f"cannot learn {what} by {chosen}", losses, chosen, hint)


def _wrong_shape(form: str, column: str, shape: Shape, clean_shape: Shape) -> _Wrong | None:
    """Return why outputs of a shape cannot be compared with targets of a form; None if they can."""
    if form in (CLASS, TAGS, NUMBER) and len(shape) != 1:
        hint = "end the network with flatten or globalavgpool, and a linear layer, or choose another target"
        return _Wrong(
            f"outputs {shape_text(shape)}",
            f"a vector, which can be compared with {FORMS[form].what}",
            shape_text(shape),
            hint,
        )
    if form == MASK and len(shape) != len(clean_shape):
        expected = "a map, with a class for each pixel"
        return _Wrong(f"outputs {shape_text(shape)}", expected, shape_text(shape))
    ours, theirs = product(shape), product(clean_shape)
    if column == INPUT and isinstance(ours, int) and isinstance(theirs, int) and ours != theirs:
        expected = f"{shape_text(clean_shape)}, or as many values"
        return _Wrong(f"outputs {shape_text(shape)}, which cannot be the input", expected, shape_text(shape))
    return None


def clean_shape(recipe: Recipe, input_shape: Shape) -> Shape:
    """Return the shape of images before they are corrupted to that of the input."""
    return (*input_shape[:1], *(recipe.shrinkage * size for size in input_shape[1:]))


def stored_shape(recipe: Recipe, input_shape: Shape) -> Shape:
    """Return the shape of images as they are read: before they are cropped, and corrupted to the input's."""
    clean = clean_shape(recipe, input_shape)
    return (*clean[:1], *(size + 2 * recipe.data.margin for size in clean[1:]))


def main_head(heads: Heads) -> str:
    """Return the name of the head whose accuracy is reported: the first one in inference."""
    return next(name for name, head in heads.items() if not head.training_only)


def head_name(head: str) -> str:
    """Return what messages call a head."""
    return "the network" if head == OUTPUT else f"head '{head}'"


def with_logits(graph: Graph) -> Graph:
    """Return the graph with every softmax at the end replaced by the identity, where nothing else reads it.

    The names and parameters of all nodes remain, so weights of one are weights of the other.
    """
    nodes = {node.name: node for node in graph.nodes}
    readers = _readers(graph)
    removed = set()
    for output in graph.outputs.values():
        path = _path(output.node, nodes)
        last = path[-1] if path else None
        alone = all(readers[node.name] == 1 for node in path)
        if last is not None and alone and isinstance(last.layer, Softmax | LogSoftmax):
            removed.add(last.name)
    kept = (
        node._replace(kind=Identity.keyword, layer=Identity()) if node.name in removed else node
        for node in graph.nodes
    )
    return graph._replace(nodes=tuple(kept)) if removed else graph


def remarks(graph: Graph) -> Iterator[Diagnostic]:
    """Yield what a training with cross-entropy would not expect of the outputs, with the place of each.

    Outputs that are maps, a single value, or as many values as the input (a reconstruction), are not those of
    a classifier.
    """
    nodes = {node.name: node for node in graph.nodes}
    for name, output in graph.outputs.items():
        if len(output.shape) != 1 or output.shape[0] in (1, product(graph.input)):
            continue
        path = _path(output.node, nodes)
        last = path[-1] if path else None
        if last is None:
            continue
        if isinstance(last.layer, Softmax | LogSoftmax):
            yield from _softmax_remarks(name, path, last)
        elif isinstance(last.layer, Add | Concat) and _joins_probabilities(last, nodes):
            yield Diagnostic(
                BOUNDED_LOGITS,
                f"{head_name(name)} ends in '{last.kind}' of probabilities",
                last.location,
                "logits, which cross-entropy takes, of any size and sign",
                hint=f"move softmax after '{last.kind}'",
                level="warning",
            )
        elif last.layer.value_range:
            yield Diagnostic(
                BOUNDED_LOGITS,
                f"{head_name(name)} ends in '{last.kind}', whose values are {last.layer.value_range}",
                last.location,
                "logits, which cross-entropy takes, of any size and sign",
                hint="end in the layer before it, or in softmax",
                level="warning",
            )


def _softmax_remarks(head: str, path: tuple[Node, ...], last: Node) -> Iterator[Diagnostic]:
    dropping = next((node for node in path[:-1] if not _moves(node)), None)
    if dropping is not None:
        yield Diagnostic(
            NOT_PROBABILITIES,
            f"{head_name(head)} has '{dropping.kind}' after '{last.kind}'",
            dropping.location,
            "probabilities that add up to 1 in training too",
            hint=f"move '{dropping.kind}' before '{last.kind}'",
            level="warning",
        )
    classes, values = last.output_shape[0], product(path[0].output_shape)
    if classes != values:
        yield Diagnostic(
            NOT_PROBABILITIES,
            f"{head_name(head)} has {values} values, but its '{last.kind}' is over {classes} channels",
            last.location,
            "probabilities of all classes, which add up to 1",
            hint=f"flatten before '{last.kind}'",
            level="warning",
        )


def _joins_probabilities(node: Node, nodes: Mapping[str, Node]) -> bool:
    paths = (_path(name, nodes) for name in node.inputs)
    return any(path and isinstance(path[-1].layer, Softmax) for path in paths)


def _criterion(name: str, nodes: Mapping[str, Node]) -> str:
    """Return the criterion of the last layer that computes anything.

    The mean of probabilities over all positions is one of them too.
    """
    path = _path(name, nodes)
    if not path:
        return DEFAULT_CRITERION
    if isinstance(path[-1].layer, GlobalAvgPool):
        before = _path(path[-1].inputs[0], nodes)
        if before and isinstance(before[-1].layer, Softmax):
            return Softmax.criterion
    return path[-1].layer.criterion


def _path(name: str, nodes: Mapping[str, Node]) -> tuple[Node, ...]:
    """Return the nodes from an output back to the last one that computes anything, or that joins.

    Layers that only move values, such as ``reshape``, or act in training only, such as ``dropout``, compute
    nothing. If no layer computes anything, the result is empty.
    """
    path = []
    node = nodes.get(name)
    while node is not None:
        path.append(node)
        if node.layer.joins or not _computes_nothing(node):
            return tuple(path)
        node = nodes.get(node.inputs[0])
    return ()


def _computes_nothing(node: Node) -> bool:
    return node.layer.operations(node.input_shape, node.output_shape) == 0


def _moves(node: Node) -> bool:
    """Return whether a node that computes nothing moves its values in training too."""
    return not isinstance(node.layer, Regularizing)


def _readers(graph: Graph) -> Mapping[str, int]:
    """Return for every node how many nodes and outputs read it."""
    readers = dict.fromkeys((node.name for node in graph.nodes), 0)
    for name in (
        *(name for node in graph.nodes for name in node.inputs),
        *(output.node for output in graph.outputs.values()),
    ):
        if name in readers:
            readers[name] += 1
    return readers
