"""Words, numbers and expressions that mutants get: valid ones, those of other programs, and extremes."""

from __future__ import annotations

from typing import Final

from cnncli.layers import KINDS
from cnncli.recipe.losses import LOSSES
from cnncli.recipe.optimizers import OPTIMIZERS
from cnncli.recipe.recipe import Recipe
from cnncli.recipe.schedules import SCHEDULES
from cnncli.recipe.transforms import TRANSFORMS


def listed(text: str) -> tuple[str, ...]:
    """Return the words of a text."""
    return tuple(text.split())


def lines(text: str) -> tuple[str, ...]:
    """Return the lines of a text."""
    return tuple(line.strip() for line in text.strip().splitlines())


NUMBERS: Final = (
    *listed("0 -1 1 2 3 4 7 16 1.5 0.1 1e-3 1e-300 1e999 -0 +3 007 100 1000 4096 9999 49999 65536 1000000"),
    *listed(
        "999999999999 0x10 0b11 1_000 1e5 12M 3.5GiB 60k .inf -.inf .nan nan inf ½ 1,000 1:30 2026-01-01"
    ),
    *(str(2**31), str(2**63), str(10**100), "9" * 4301, f"{'1' * 20_000}x", "\uff11\uff12"),
)
"""Numbers near and far from what is usual, and texts that look like one."""

EXPRESSIONS: Final = tuple(
    f'"{line}"'
    for line in lines("""
        width*2
        width // 0
        width % 3
        -width
        2 ** 62
        9 ** 9 ** 9
        width ** 40
        min(width, 4)
        max()
        depths[0]
        depths[9]
        depths[-1]
        depths
        width if k else 3
        depths == depths == depths
        (((((width)))))
        not k
        1 < k < 3
        width.real
        __import__(1)
        lambda: 1
        [1, 2][0]
        [k] * 1000
        width +

        $width
        ${width}
        $width$width
        $$
        ${
        $nothing
        a$k-$k
    """)
)
"""Values that are computed."""

FOREIGN: Final = (
    *listed("Conv2d Dense BN LRN GAP dense deconv fc bn gap pool attention Linear nn.ReLU(inplace=True)"),
    *listed("MaxPool2D InnerProduct BatchNorm2d GlobalAveragePooling2D Softmax out_channels in_channels"),
    *listed(
        "kernel_size filters units strides num_output yes no on off true False null None ~ in is class for"
    ),
    *listed(
        "training forward __class__ __init__ _private a.b a.0 input identity output same valid half é 日本"
    ),
    *listed("::error::x ##vso[task] @team `x` |x| ~~x~~ $x$ ../../etc/passwd /dev/stdin /dev/zero / . -x"),
    *listed("--budget=e.yaml http://x nowhere.yaml \ufffd \U0001f600 a\x1b[31m a\x07 a\u202eb"),
    *("x" * 300, "a b", "a\u2028b", "\ufeff", "<img src=x onerror=a>", "'<img src=x>'"),
)
"""Names of other programs, words with a meaning of their own, and texts that are dangerous to print."""

SIGNS: Final = (*"[]{}:-,&*!|>#%@`?~$<+\"'\t\r\x00\n ", "<<", "**", "//", "\n  ", "- ", ": ")
"""What has a meaning in YAML."""

SECTIONS: Final = listed("name extends input vars defaults blocks layers heads train budget paper")
KEYS: Final = (
    *SECTIONS,
    *listed("from repeat first args numbered branches align norm activation training_only"),
    *sorted({argument for kind in KINDS.values() for argument in kind.arguments}),
    *Recipe.arguments,
    *TRANSFORMS,
    *LOSSES,
    *OPTIMIZERS,
    *SCHEDULES,
)
"""Keys of specs and of recipes."""

NAMES: Final = (*KINDS, *sorted({kind.family for kind in KINDS.values()}))
"""The kinds of layers and their families."""

ANY: Final = (*NUMBERS, *NUMBERS, *EXPRESSIONS, *FOREIGN, *SIGNS, *KEYS, *NAMES)
