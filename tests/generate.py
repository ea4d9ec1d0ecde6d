"""Random whole specs as text, for tests that compare cnncli with torch.

A spec follows from its seed alone. It uses the language broadly: chains, branches, joins, shorthand,
paddings, strides, repeats, blocks, variables and expressions, heads, one to three spatial axes. Most
specs are valid; some ask for shapes that do not fit, as people do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random
from typing import Any

import yaml

from cnncli.diagnostics import ShapeError
from cnncli.graph import Graph, open_text

Layer = dict[str, Any] | str

NORMS = ("batch", "layer", "instance", {"group": 2}, "none")
ACTIVATIONS = (
    "relu",
    "tanh",
    "leaky_relu",
    "prelu",
    "gelu",
    "silu",
    "hard_swish",
    "scaled_tanh",
    {"elu": 0.5},
)
MODES = ("zeros", "symmetric", "reflect", "replicate", "circular", "constant")
WIDTHS = ("width", "width*2", "width // 2", "max(width, 4)")


def random_spec(seed: int) -> str:
    """The text of a spec."""
    document = _Writer(Random(seed)).document()  # noqa: S311  # nothing here is a secret
    return yaml.safe_dump(document, sort_keys=False, default_flow_style=None, width=110)


def random_graphs(seeds: Iterable[int]) -> Iterator[tuple[int, Graph]]:
    """The graphs of the specs whose shapes fit, with their seeds. Nothing else may be wrong with the others.

    A test asserts how many there were: of none, nothing would be known.
    """
    for seed in seeds:
        try:
            graph = open_text(random_spec(seed)).graph
        except ShapeError:
            continue
        yield seed, graph


class _Writer:
    """Writes one spec; ``self.channels`` follows the current tensor where it is easily known."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.rank = random.choice((1, 2, 2, 2, 3))
        self.width = random.choice((4, 8))
        self.channels: int | None = random.choice((1, 2, 3, 4))
        self.named: list[str] = []

    def document(self) -> dict[str, Any]:
        sizes = {1: (16, 64), 2: (9, 32), 3: (6, 12)}[self.rank]
        size = [self.channels, *(self.random.randint(*sizes) for _ in range(self.rank))]
        layers = [layer for _ in range(self.random.randint(2, 6)) for layer in self.part()]
        document: dict[str, Any] = {"name": "random", "input": size}
        document["vars"] = {"width": self.width, "depths": [self.random.randint(0, 2), 2], "classes": 10}
        document["defaults"] = {"conv": {"padding": self.random.choice(("same", "half", "valid"))}}
        document["blocks"] = self.blocks()
        document["layers"] = [*layers, *self.tail()]
        if self.random.random() < 0.25:
            document["heads"] = self.heads()
        return document

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    # -- parts of the trunk ------------------------------------------------------------------------

    def part(self) -> list[Layer]:
        """A few layers that belong together."""
        makers = (
            self.conv,
            self.conv,
            self.pool,
            self.plain,
            self.residual,
            self.inception,
            self.gate,
            self.skip,
            self.blocks_in_a_row,
            self.larger,
            self.borders,
        )
        return self.random.choice(makers)()

    def new_width(self) -> Any:
        text = self.random.choice(WIDTHS)
        self.channels = {
            "width": self.width,
            "width*2": self.width * 2,
            "width // 2": self.width // 2,
            "max(width, 4)": max(self.width, 4),
        }[text]
        return text if self.chance(0.6) else self.channels

    def conv(self, kind: str = "conv") -> list[Layer]:
        groups = 2 if self.channels is not None and self.channels % 2 == 0 and self.chance(0.2) else 1
        arguments: dict[str, Any] = {"channels": self.new_width(), "kernel": self.per_axis(1, 4)}
        if groups > 1:
            arguments["groups"] = groups
        if self.chance(0.4):
            arguments["stride"] = self.per_axis(1, 2)
        if self.chance(0.6):
            arguments["padding"] = self.padding()
        if self.chance(0.15):
            arguments["dilation"] = 2
        if self.chance(0.2):
            arguments["bias"] = False
        if kind == "conv" and self.chance(0.25):
            arguments["padding_mode"] = self.random.choice(MODES)
        node: dict[str, Any] = {kind: arguments | self.sugar()}
        if self.chance(0.2):
            self.named.append(f"named{len(self.named)}")
            node["name"] = self.named[-1]
        return [node]

    def sugar(self) -> dict[str, Any]:
        sugar: dict[str, Any] = {}
        if self.chance(0.4):
            sugar["norm"] = self.random.choice(NORMS)
        if self.chance(0.6):
            sugar["activation"] = self.random.choice(ACTIVATIONS)
        return sugar

    def per_axis(self, low: int, high: int) -> Any:
        if self.chance(0.7):
            return self.random.randint(low, high)
        return [self.random.randint(low, high) for _ in range(self.rank)]

    def padding(self) -> Any:
        choices: list[Any] = ["same", "same", "half", "valid", 1, [1] * self.rank]
        if self.rank == 2:
            choices.append({"top": 1, "left": 2})
        return self.random.choice(choices)

    def pool(self) -> list[Layer]:
        kind = self.random.choice(("maxpool", "avgpool", "minpool", "medianpool"))
        if self.chance(0.3):
            return [{kind: 2}]
        arguments: dict[str, Any] = {"kernel": self.random.randint(2, 3)}
        arguments["stride"] = self.random.randint(1, 2)
        arguments["padding"] = self.random.choice(("same", "half", "valid", 1))
        if self.chance(0.3):
            arguments["ceil_mode"] = True
        if kind == "avgpool" and self.chance(0.5):
            arguments["count_padding"] = False
        return [{kind: arguments}]

    def plain(self) -> list[Layer]:
        choices: tuple[Layer, ...] = (
            *(word for word in ACTIVATIONS if isinstance(word, str)),
            {"dropout": 0.3},
            "dropout2d",
            "droppath",
            {"noise": 0.2},
            "batchnorm",
            {"layernorm": {"over": "channels"}},
            {"localresponsenorm": 3},
            "softmax",
            "identity",
            {"channelshuffle": 2 if self.channels and self.channels % 2 == 0 else 1},
        )
        return [self.random.choice(choices)]

    def same_conv(self, channels: Any, **more: Any) -> Layer:
        return {"conv": {"channels": channels, "kernel": 3, "padding": "same"} | more | self.sugar()}

    def residual(self) -> list[Layer]:
        stride = self.random.choice((1, 1, 2))
        shortcut: dict[str, Any] = {"stride": stride}
        if self.chance(0.2):
            shortcut["mode"] = "pad"
        channels = self.new_width()
        branch = [self.same_conv(channels, stride=stride), self.same_conv(channels)]
        return [{"add": [branch, {"shortcut": {"channels": channels} | shortcut}]}, "relu"]

    def inception(self) -> list[Layer]:
        branches: list[Any] = [
            [self.same_conv(self.random.randint(1, 6))] for _ in range(self.random.randint(1, 2))
        ]
        branches.append([{"maxpool": {"kernel": 3, "stride": 1, "padding": "same"}}, self.same_conv("width")])
        branches.append(self.random.choice(("identity", "identity", {"conv": {"channels": 2, "kernel": 1}})))
        self.channels = None
        return [{"concat": branches}]

    def gate(self) -> list[Layer]:
        if self.channels is None:
            return self.conv()
        squeeze = {"globalavgpool": {"keepdims": True}}
        return [
            {
                "multiply": [
                    "identity",
                    [squeeze, {"conv": {"channels": self.channels, "kernel": 1}}, "sigmoid"],
                ]
            }
        ]

    def skip(self) -> list[Layer]:
        """A join with an earlier node of another size."""
        source = self.random.choice([*self.named, "input"])
        align = self.random.choice(("crop", "pad", "crop", "pad", "exact"))
        self.channels = None
        return [{"concat": {"branches": [source, "identity"], "align": align}}]

    def blocks_in_a_row(self) -> list[Layer]:
        node: dict[str, Any] = {"unit": {"channels": self.new_width()}}
        if self.chance(0.7):
            node["repeat"] = self.random.choice(("depths[0]", "depths[1]", 2))
            if self.chance(0.6):
                node["first"] = {"stride": 2}
            self.channels = None  # perhaps there are no copies at all
        return [node]

    def larger(self) -> list[Layer]:
        kinds: list[Layer] = [{"upsample": 2}, {"upsample": {"scale": 2, "mode": "bilinear"}}]
        if self.chance(0.5):
            return [self.random.choice(kinds)]
        return self.conv("convtranspose")

    def borders(self) -> list[Layer]:
        if self.chance(0.5):
            return [{"crop": 1}]
        return [{"pad": {"amount": self.random.randint(1, 2), "mode": self.random.choice(MODES)}}]

    # -- the rest ----------------------------------------------------------------------------------

    def blocks(self) -> dict[str, Any]:
        conv = {"channels": "channels", "kernel": 3, "padding": "same", "norm": "batch"}
        layers: list[Layer] = [{"conv": conv | {"stride": "stride", "activation": "relu"}}]
        if self.chance(0.5):
            shortcut = {"shortcut": {"channels": "channels", "stride": "stride"}}
            layers = [{"add": [[*layers, {"conv": conv}], shortcut]}, "relu"]
        unit = {"args": {"channels": None, "stride": 1}, "layers": layers}
        return {"unit": unit | ({"numbered": True} if self.chance(0.3) else {})}

    def tail(self) -> list[Layer]:
        vector = self.random.choice(
            (["globalavgpool"], ["globalmaxpool"], [{"adaptiveavgpool": 2}, "flatten"], [])
        )
        if not vector:
            return self.conv() if self.chance(0.7) else [{"reshape": [-1]}]
        hidden: list[Layer] = (
            [{"linear": {"features": "width * 4"} | self.sugar_for_vectors()}] if self.chance(0.5) else []
        )
        return [*vector, *hidden, {"linear": "classes"}]

    def sugar_for_vectors(self) -> dict[str, Any]:
        return {"norm": self.random.choice(("batch", "layer")), "activation": self.random.choice(ACTIVATIONS)}

    def heads(self) -> dict[str, Any]:
        source = self.random.choice([*self.named, "input"])
        aux = {"from": source, "layers": ["globalavgpool", {"linear": 3}], "training_only": self.chance(0.5)}
        return {"main": ["identity"], "aux": aux}
