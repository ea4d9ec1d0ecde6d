"""A decoder from a graph: every layer up to a node is followed by its mirror image, in the reverse order.

The edges of the graph are reversed. A value that several layers read is the sum of what leads back from each
of them, and the branches of a join each begin with the value of the join. Every step leads to the shape that
the value has in the encoder, so the last one has the shape of the input, at every size that is accepted.

Norms and activations are repeated behind the step that leads back to their output: where the encoder has
conv, norm, activation, the decoder has the transposed convolution of the next layer, norm, activation. Its
output has none: it is a weighted sum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from cnncli.algebra import whole_shape
from cnncli.diagnostics import Diagnostic, Location, SpecError, UsageError
from cnncli.graph import Graph, Node, Opened, all_sizes, open_text
from cnncli.language.description import INPUT
from cnncli.language.shorthand import SHORTHAND
from cnncli.language.writer import plain_yaml
from cnncli.layers import Kind, KindVocabulary
from cnncli.layers.joins import Add, MatchSize
from cnncli.transfer.mirrored_kinds import Ends, NoMirrorError, mirror_image
from cnncli.transfer.writing import changed, entries, entry, leading_to, node_named, others_of

PREFIX: Final = "decoder"
"""The block around the names of all layers of a decoder; with a number if the network has it itself."""

_DENOISING: Final[Mapping[str, object]] = {
    "tasks": {"output": {"mse": {}, "target": INPUT}},
    "corrupt": [{"noise": 0.3}],
    "optimizer": "adamw",
}
_KEPT: Final = ("epochs", "batch")
"""The settings that the recipe of an autoencoder has from its spec, beside the data."""


class Mirrored(NamedTuple):
    """An autoencoder: the text of its spec, the last node of its encoder, the names of its decoder's layers.

    ``reset`` are patterns for the tensors that an autoencoder and its spec do not share.
    """

    text: str
    last: str
    decoder: tuple[str, ...]
    reset: tuple[str, ...]


def mirrored(opened: Opened, until: str, source: str) -> Mirrored:
    """Return the layers of a spec up to a node, and their mirror image.

    Args:
        opened: the spec, with sizes in numbers.
        until: the name of a layer or a block.
        source: the spec as it was named, for the first line of the text.

    Raises:
        UsageError: there is no such layer, or layers before it have no mirror image.
    """
    graph = opened.graph
    last = node_named(graph, until)
    trunk = leading_to(graph, last)
    head: dict[str, object] = {
        "name": f"{graph.name}, mirrored at {last.name}".replace("$", "$$"),
        "input": list(whole_shape(graph.input)),
    }
    encoder = entries(trunk)
    symbols = _over_all_sizes(plain_yaml(head | {"layers": encoder}), trunk)
    decoder = _Decoder(graph, trunk, symbols)
    with symbols.decided():
        decoder.run()
    text = plain_yaml(head | {"layers": [*encoder, *decoder.layers], "train": _recipe(opened)})
    comment = (
        f"# The layers of {source} up to {last.name}, and under {decoder.prefix} their mirror image.\n"
        f"# Trained as it is, the network learns to remove noise from its input.\n"
    )
    return Mirrored(
        comment + text, last.name, tuple(decoder.names), (decoder.prefix, *others_of(graph, trunk))
    )


def _over_all_sizes(text: str, trunk: Sequence[Node]) -> Graph:
    """Return the graph of an encoder with symbols for its sizes.

    Raises:
        UsageError: a layer has no formula for all sizes.
    """
    try:
        return open_text(text, size=all_sizes).graph
    except SpecError as error:
        fault = error.diagnostics[0]
        name, _, message = fault.message.partition(": ")
        location = next((node.location for node in trunk if node.name == name), None)
        message = f"{name}: no decoder is known for all sizes, since {message}"
        raise UsageError(fault._replace(message=message, location=location, hint="")) from None


def _recipe(opened: Opened) -> dict[str, object]:
    recipe = opened.train
    kept = {name: value for name, value in changed(recipe).items() if name in _KEPT}
    return {"data": {"source": recipe.data.source} | changed(recipe.data)} | kept | dict(_DENOISING)


class _Decoder:
    """The layers of a decoder, written while the values of the encoder are taken in the reverse order."""

    def __init__(self, graph: Graph, trunk: tuple[Node, ...], symbols: Graph) -> None:
        self.layers: list[dict[str, object]] = []
        self.names: dict[str, None] = {}
        self._nodes = {node.name: node for node in trunk}
        self._shapes = {INPUT: symbols.input} | {node.name: node.output_shape for node in symbols.nodes}
        self._numbers = {INPUT: graph.input} | {node.name: node.output_shape for node in trunk}
        taken = {node.name.partition(".")[0] for node in graph.nodes}
        numbers = (f"{PREFIX}{number}" for number in range(2, len(taken) + 3))
        self.prefix = next(name for name in (PREFIX, *numbers) if name not in taken)
        self._previous = trunk[-1].name
        self._found: dict[str, list[str]] = {name: [] for name in (INPUT, *self._nodes)}
        """For each value, the layers that lead back to its shape."""
        self._readers: dict[str, list[str]] = {name: [] for name in self._found}
        for node in trunk:
            for name in node.sources:
                self._readers[name].append(node.name)
        dressing = _dressing()
        self._dressed = {name for name, each in self._nodes.items() if each.kind in dressing}

    def run(self) -> None:
        """Write all layers.

        Raises:
            UsageError: with an error for each layer that has no mirror image, or none is needed.
        """
        faults: dict[Location, Diagnostic] = {}
        last, *_ = reversed(self._nodes)
        for name in reversed(self._nodes):
            node = self._nodes[name]
            current = name if name == last else self._led_back(name)
            if current is None:
                continue  # only its sizes are read
            for place, source in enumerate(node.sources):
                back = current
                try:
                    back = self._through(node, place, current)
                except NoMirrorError as error:
                    faults.pop(node.location, None)  # of copies, the first one is named
                    faults[node.location] = _refused(node, error)
                self._found[source].append(back)
        if faults:
            first, *others = reversed(faults.values())
            raise UsageError([first, *(each._replace(hint="") for each in others)])
        if not self.layers:
            message = f"the layers up to '{last}' do not change the shape of the input: there is no decoder"
            raise UsageError(Diagnostic("mirror", message, expected="a layer after the first convolution"))
        self._led_back(INPUT)

    def _through(self, node: Node, place: int, current: str) -> str:
        """Write the mirror image of a node for one of its inputs; return its last layer."""
        source = node.inputs[place]
        numbers = whole_shape(self._numbers[source])
        ends = Ends(numbers, self._shapes[source], self._shapes[node.name])
        own = node.name if len(node.sources) == 1 else f"{node.name}_{place + 1}"
        for layer in mirror_image(node.layer, ends):
            if isinstance(layer, MatchSize):
                current = self._write(f"{own}_size", layer, current, source)
            else:
                current = self._write(own, layer, current)
        return current

    def _led_back(self, name: str) -> str | None:
        """Write the sum of all that leads back to a value, and the layers that change each of its values."""
        found = self._found[name]
        if not found:
            return None
        current = found[0] if len(found) == 1 else self._write(f"{name}_sum", Add(), *found)
        for each in self._chain(name):
            current = self._write(each, self._nodes[each].layer, current)
        return current

    def _chain(self, name: str) -> list[str]:
        """Return the norm and the activation that compute a value, in the order in which they do.

        One whose output only another one reads is repeated with that one.
        """
        readers = self._readers[name]
        if name not in self._dressed or (len(readers) == 1 and readers[0] in self._dressed):
            return []
        chain = [name]
        while True:
            (source,) = self._nodes[chain[-1]].inputs
            if source not in self._dressed or len(self._readers[source]) > 1:
                return chain[::-1]
            chain.append(source)

    def _write(self, name: str, layer: Kind[Any], *inputs: str) -> str:
        full = f"{self.prefix}.{name}"
        while full in self.names:
            full += "_"
        self.layers.append(entry(full, layer, inputs, self._previous))
        self.names[full] = None
        self._previous = full
        return full


def _dressing() -> set[str]:
    """Return the kinds of norms and activations."""
    words = KindVocabulary()
    return {kind for key in SHORTHAND for kind in words.shorthand(key).values()}


def _refused(node: Node, error: NoMirrorError) -> Diagnostic:
    before = node.inputs[-1]
    hint = "" if before == INPUT else f"'{before}' comes before it"
    message = f"{node.name}: '{node.kind}' has no mirror image: {error}"
    return Diagnostic("mirror", message, node.location, hint=hint)
