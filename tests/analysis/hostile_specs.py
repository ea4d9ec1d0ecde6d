"""Short specs whose analysis once took minutes, gigabytes or numbers of thousands of digits."""

from __future__ import annotations

PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71)
JUMP = "{maxpool: {kernel: 1, stride: 1000000000000, padding: same}}"


def chain(layer: str, repeat: int, size: str = "[1, 8, 8]") -> str:
    """One layer, repeated."""
    return f"input: {size}\nlayers:\n  - {layer}\n    repeat: {repeat}\n"


def jumps(repeat: int) -> str:
    """Strides that multiply to numbers of thousands of digits, while the size stays small."""
    block = f"blocks: {{b: {{layers: [{JUMP}, {{pad: 1}}]}}}}"
    return f"input: [1, 8]\n{block}\nlayers:\n  - b:\n    repeat: {repeat}\n"


def shifted(kernel: int) -> str:
    """Two poolings that agree for all sizes except one residue class."""
    branches = [f"[{{pad: {{amount: {{top: {n}, left: {n}}}}}}}, {{maxpool: {kernel}}}]" for n in (0, 1)]
    return f"input: [1, {kernel}, {kernel}]\nlayers: [{{add: [{', '.join(branches)}]}}]\n"


def restored(*factors: int) -> str:
    """For each factor, a pooling and an upsampling that must restore the size."""
    units = [f"  - add: [[{{maxpool: {n}}}, {{upsample: {n}}}], identity]\n" for n in factors]
    return f"input: [1, 30030, 30030]\nlayers:\n{''.join(units)}"


def drifting(levels: int) -> str:
    """Joins of poolings with different strides, whose outputs are cropped to fit."""
    branches = ", ".join(f"[{{maxpool: {n}}}]" for n in PRIMES)
    join = f"  - add: {{align: crop, branches: [{branches}]}}\n"
    return f"input: [1, 1000000000000]\nlayers:\n{join * levels}"


def squared(count: int) -> str:
    """Channels that are the square of a sum of variables."""
    names = [f"v{n}" for n in range(count)]
    variables = ", ".join(f"{name}: 2" for name in names)
    layer = f"  - conv: {{channels: ({'+'.join(names)})**2, kernel: 3, padding: same}}\n"
    return f"input: [1, 8, 8]\nvars: {{{variables}}}\nlayers:\n{layer}    repeat: 3\n"


def branches(count: int, repeat: int) -> str:
    """Joins of many convolutions."""
    convolutions = ", ".join(["{conv: {channels: 1, kernel: 1}}"] * count)
    block = f"{{concat: [{convolutions}]}}, {{conv: {{channels: 1, kernel: 1}}}}"
    return f"input: [1, 8, 8]\nblocks: {{b: {{layers: [{block}]}}}}\nlayers:\n  - b:\n    repeat: {repeat}\n"


def many_blocks(count: int) -> str:
    """A long file, of which a search would read every word at every try."""
    blocks = "".join(f"  b{n}: {{args: {{a: 1, b: 2, c: 3}}, layers: [relu, relu]}}\n" for n in range(count))
    layer = "  - conv: {channels: 4, kernel: 3, padding: same}\n    repeat: n\n"
    return f"input: [1, 8, 8]\nvars: {{n: 3}}\nblocks:\n{blocks}layers:\n{layer}"


CONVOLUTION = "conv: {channels: 4, kernel: 3, padding: same}"
HALVING = "conv: {channels: 4, kernel: 3, stride: 2, padding: same}"
HALVED = "conv: {channels: 4, kernel: 5, stride: 2}"
VALID = "conv: {channels: 4, kernel: 3}"
FLOORS = chain("maxpool: {kernel: 1, stride: 1000000000000, padding: same}", 360, "[1, 8]")
HALVES = chain("upsample: 1.5", 18).replace("layers:", "layers:\n  - avgpool: 2")
ALL_SQUARED = f"--symbolic={','.join(f'v{n}' for n in range(14))}"
VARIED = chain(HALVING, 1).replace("layers", "vars: {n: 1}\nlayers").replace("repeat: 1", "repeat: n")

CASES = {
    "jumps": (jumps(26), ("inspect", "--receptive-field")),
    "jumps in a document": (jumps(360), ("inspect", "--receptive-field", "--format", "json")),
    "shifts": (jumps(360), ("inspect", "--shifts")),
    "floors": (FLOORS, ("sizes",)),
    "formulas of floors": (FLOORS, ("inspect", "--symbolic")),
    "memory of floors": (FLOORS, ("memory", "--input", "1xL")),
    "1,000 floors": (chain(HALVING, 1000), ("inspect", "--symbolic")),
    "memory of 600 floors": (chain(HALVING, 600), ("memory", "--input", "1xHxW")),
    "windows of 10^9": (chain("adaptiveavgpool: 1000000000", 1), ("inspect", "--symbolic")),
    "period": (shifted(49_999), ("sizes",)),
    "drifting": (drifting(5), ("inspect", "--receptive-field")),
    "halves of halves": (chain("upsample: 1.5", 24), ("sizes", "--near", "2")),
    "memory of halves of halves": (chain("upsample: 1.5", 20), ("memory", "--input", "1xHxH")),
    "squares": (squared(14), ("inspect", ALL_SQUARED)),
    "branches": (branches(200, 90), ("memory",)),
    "layers": (chain(CONVOLUTION, 20_000), ("memory",)),
    "formulas of layers": (chain(CONVOLUTION, 20_000), ("inspect", "--symbolic")),
    "memory of layers": (chain(CONVOLUTION, 20_000), ("memory", "--input", "1xHxW")),
    "sizes of layers": (chain(CONVOLUTION, 20_000), ("sizes",)),
    "fit": (many_blocks(8_000), ("fit", "--vary", "n", "--limit", "params=100k")),
    "fit memory": (VARIED, ("fit", "--vary", "n", "--limit", "memory=1MiB")),
}
"""Each is answered or refused: a spec, and a command with its options."""

ANSWERED = {
    "1,000 convolutions": (chain(VALID, 1000, "[1, 20000, 20000]"), ("sizes",), "all from 2001"),
    "their formulas": (chain(VALID, 1000, "[1, 20000, 20000]"), ("inspect", "--symbolic"), "all from 2001"),
    "a deep network": (
        chain("conv: {channels: 4, kernel: 5, stride: 2}", 30, "[1, 1000000000000]"),
        ("sizes",),
        "all from 4294967293",
    ),
    "halves of halves": (HALVES, ("sizes", "--near", "2"), "all from 2"),
    "coprime": (restored(2, 3, 5, 7, 11, 13), ("sizes",), "multiples of 30030"),
    "windows": (chain("adaptiveavgpool: 500", 1), ("inspect", "--symbolic"), "height: any"),
    "windows of a power of 2": (chain("adaptiveavgpool: 128", 1), ("inspect", "--symbolic"), "height: any"),
}
"""Each is answered, with this in the text."""
