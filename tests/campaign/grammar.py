"""Small specs made from the declarations of the kinds: every kind, every argument, every section.

Most are valid. The rank of the tensor is followed roughly, its sizes and channels are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any, Final

from cnncli.language.readers import Choice, Flag, Number, PerAxis, Sizes
from cnncli.layers import KINDS, Kind
from cnncli.layers.geometry.padding import Edges, PaddingReader
from cnncli.layers.table import TableReader
from tests.campaign import recipes, words

_ODD: Final = 0.015
"""How often an argument is anything."""

_NORMS = ("batch", "batch", "layer", "instance", "{group: 2}", "none")
_ACTIVATIONS = ("relu", "relu", "tanh", "none", "{elu: 0.5}", "prelu", "softmax")
_BUDGETS = (
    *("params: 1M", "macs: 60k", "weights_size: 512 KiB", "depth: 3", "memory: 10MiB", "params: 0"),
    *("training_memory: 1GiB", "neurons: 5k", "values: 60k", "layers: 9", "buffers: 0", "flops: 3M"),
)
_VALUES = ("8", "4", "2", "1", "3", "[2, 1]", "relu", "width * 2", "k + 1", "batch", "0.5", "[1, k]", '""')
_TO_VECTORS: Final = ("flatten", "globalavgpool", "globalmaxpool", "reshape: [-1]")
_COMMON: Final = (
    "conv",
    "conv",
    "conv",
    "convtranspose",
    "maxpool",
    "avgpool",
    "relu",
    "batchnorm",
    "upsample",
)
_COMMON_FOR_VECTORS: Final = ("linear", "linear", "relu", "batchnorm", "dropout", "softmax")

_TEXTS: Final[Mapping[type, tuple[str, ...]]] = {
    PaddingReader: ("same", "same", "same", "half", "valid", "1"),
    Flag: ("true", "false"),
    Number: ("0.1", "0.5", "1e-3", "1", "0"),
    Sizes: ("[-1]", "[-1, 2]", "[2, -1, 4]", "[4, 2, -1, 1]", "[12]", "[width, -1]"),
    Edges: ("1", "[1, 2]", "{top: 1, left: 2}", "0", "k", "15000"),
    TableReader: ("[[0, 1], [1]]", "[[0]]", "[[0], [1], [2], [0, 1, 2]]"),
}
"""Values by the reader of an argument; a size for any other."""


def _ranks(kind: type[Kind[Any]]) -> frozenset[int]:
    return frozenset(len(shape) - 1 for example in kind.examples for shape in example.inputs)


FOR_VECTORS: Final = tuple(name for name, kind in KINDS.items() if 0 in _ranks(kind) and not kind.joins)
FOR_MAPS: Final = tuple(name for name, kind in KINDS.items() if _ranks(kind) - {0} and not kind.joins)


def made(random: Random) -> str:
    """Return the text of a spec."""
    return _Writer(random).text()


class _Writer:
    def __init__(self, random: Random) -> None:
        self.random = random
        self.rank = random.choice((0, 1, 2, 2, 2, 2, 3))
        self.has_blocks = self.chance(0.25)

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def text(self) -> str:
        choice = self.random.choice
        size = [choice((1, 2, 3, 4, 6, 8)), *(choice((8, 9, 16, 28, 32, 64)) for _ in range(self.rank))]
        more = "".join(f", {name}: {choice(_VALUES)}" for name in "abc" if self.chance(0.1))
        lines = [f"input: {size}", f"vars: {{width: {choice(('4', '8', '64'))}, k: 3, depths: [2, 1]{more}}}"]
        if self.chance(0.15):
            lines.append(f"defaults: {{{self.arguments(choice((*KINDS,)), 0.0)}}}")
        lines += self.blocks() if self.has_blocks else ()
        lines += ["layers:", *(f"  - {self.node(0)}" for _ in range(choice((1, 1, 2, 3, 3, 4, 6, 10))))]
        return "\n".join([*lines, *self.ends(), ""])

    def blocks(self) -> list[str]:
        numbered = self.random.choice(("", "numbered: true, "))
        rank, self.has_blocks = self.rank, False
        nodes = ", ".join(self.node(1) for _ in range(self.random.choice((1, 2, 3))))
        self.rank, self.has_blocks = rank, True
        return [
            "blocks:",
            f"  unit: {{{numbered}args: {{channels: , stride: 1, c: width}}, layers: [{nodes}]}}",
        ]

    def ends(self) -> list[str]:
        lines = []
        heads: tuple[str, ...] = ("output",)
        if self.chance(0.12):
            first, second = self.node(1), self.node(1)
            lines.append(f"heads: {{a: [{first}], b: {{from: input, layers: [{second}]}}}}")
            heads = ("a", "b")
        if self.chance(0.25):
            given = self.random.sample(_BUDGETS, self.random.choice((1, 2)))
            lines.append(f"budget: {{{', '.join(given)}}}")
        if self.chance(0.2):
            lines.append(f"train: {recipes.made(self.random, heads)}")
        if self.chance(0.03):
            lines.append(
                f"extends: {self.random.choice(('lenet5', 'resnet18', 'base.yaml', 'net.yaml', 'nothing'))}"
            )
        return lines

    def node(self, depth: int) -> str:
        """Return a node: ``conv: {channels: 8}`` at the outermost level, in braces below it."""
        if self.chance(0.12) and depth < 3:
            node = self.join(depth)
        elif self.has_blocks and self.chance(0.2):
            node = f"unit: {self.random.choice(('8', '{channels: width}', '{channels: 4, stride: 2}'))}"
        else:
            node = self.layer()
        if self.chance(0.08):
            more = self.random.choice(
                ("repeat: 2", f"name: n{self.random.randrange(99)}", "repeat: k", "from: input")
            )
            return f"{{{node if ':' in node else f'{node}: '}, {more}}}"
        return f"{{{node}}}" if depth and ":" in node else node

    def join(self, depth: int) -> str:
        rank = self.rank
        branches = [self.random.choice(("identity", "identity", "input"))]
        for _ in range(self.random.choice((0, 1, 1, 2))):
            branches.append(f"[{self.node(depth + 1)}]")
            self.rank = rank
        return f"{self.random.choice(('add', 'concat', 'multiply'))}: [{', '.join(branches)}]"

    def layer(self) -> str:
        common, kinds = (_COMMON, FOR_MAPS) if self.rank else (_COMMON_FOR_VECTORS, FOR_VECTORS)
        if self.rank and self.chance(0.12):
            self.rank = 0
            return self.random.choice(_TO_VECTORS)
        if self.chance(0.02):
            kinds = (*KINDS,)
        name = self.random.choice(common if self.chance(0.6) else kinds)
        kind = KINDS[name]
        if name in _TO_VECTORS:
            self.rank = 0
        fitting = [each for each in kind.examples if len(each.inputs[0]) - 1 == self.rank]
        if fitting and self.chance(0.3):
            written = self.random.choice(fitting).arguments
            return f"{name}: {written}" if written else name
        return self.arguments(name, 0.97)

    def arguments(self, name: str, required: float) -> str:
        """Return a kind with random arguments; those without a default with this probability."""
        kind: type[Kind[Any]] = KINDS[name]
        given = [
            f"{argument}: {self.value(each.reader)}"
            for argument, each in kind.arguments.items()
            if self.chance(required if each.required and required else 0.15)
        ]
        if kind.shorthand and self.chance(0.3):
            given.append(f"norm: {self.random.choice(_NORMS)}")
        if kind.shorthand and self.chance(0.4):
            given.append(f"activation: {self.random.choice(_ACTIVATIONS)}")
        return f"{name}: {{{', '.join(given)}}}" if given else name

    def value(self, reader: object) -> str:
        if self.chance(_ODD):
            return self.random.choice((*words.NUMBERS, *words.EXPRESSIONS, *words.FOREIGN))
        if isinstance(reader, PerAxis) and self.chance(0.25):
            rank = self.rank if self.chance(0.9) else 2
            return f"[{', '.join(self.size() for _ in range(max(rank, 1)))}]"
        if isinstance(reader, Choice):
            return self.random.choice([*reader.words])
        texts = next((texts for each, texts in _TEXTS.items() if isinstance(reader, each)), None)
        return self.random.choice(texts) if texts else self.size()

    def size(self) -> str:
        if self.chance(_ODD):
            return self.random.choice(
                ("0", "-1", "13", "97", "500", "4999", "49999", "1000000", "1000000000000")
            )
        return self.random.choice(("1", "1", "2", "2", "3", "4", "width", "k", '"width*2"', "width"))
