"""Specs of a few lines, or of simple lines repeated, that once took minutes or gigabytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

HEAD: Final = "input: [1, 8, 8]\n"
RELU: Final = "layers: [relu]\n"
ONES: Final = "1" * 20_000


def doubling(levels: int = 21) -> str:
    """Variables of which each is the next one twice, and the last one is empty."""
    chain = "".join(f'  a{level}: "$a{level + 1}$a{level + 1}"\n' for level in range(levels - 1))
    return f"{HEAD}vars:\n{chain}  a{levels - 1}: ''\n"


def convolution(channels: str) -> str:
    """The layers of a network of one convolution."""
    return f'layers: [conv: {{channels: "{channels}", kernel: 1}}]\n'


def joins(join: str, count: int = 350) -> str:
    """Joins with as many branches as are allowed."""
    branches = ", ".join(["identity"] * 256)
    narrow = "  - conv: {channels: 1, kernel: 1}\n"
    return f"{HEAD}layers:\n" + f"  - {join}: [{branches}]\n{narrow}" * count


def uses(block: str, count: int) -> str:
    """A block that is used with a different number each time."""
    return f"blocks:\n  b:\n    args: {block}layers:\n" + "".join(f"  - b: {n}\n" for n in range(count))


def block_of_a_list() -> str:
    """A block with a long list as an argument."""
    values = ", ".join("1" * 9000)
    return HEAD + uses(f"{{n: 1, l: [{values}]}}\n    {convolution('l[n]')}", 2000)


def table_of_aliases(rows: int = 20) -> str:
    """A table of connections whose rows are aliases of one long row."""
    row = f"&r [{', '.join(map(str, range(4096)))}]"
    table = ", ".join([row, *["*r"] * (rows - 1)])
    return f"input: [4096, 8, 8]\nlayers: [conv: {{channels: {rows}, kernel: 1, table: [{table}]}}]\n"


def compared_lists(count: int = 20) -> str:
    """Long lists that are compared with themselves."""
    compared = "==".join("b" * 150)
    line = f'  - conv: {{channels: "1 if {compared} else 2", kernel: 1}}\n'
    return f"{HEAD}vars: {{b: [{', '.join('1' * 9999)}]}}\nlayers:\n{line * count}"


def nested_faults() -> str:
    """Faults below many blocks, behind many empty lines: every fault is shown with its uses."""
    blocks = "".join(f"  b{level}: {{layers: [b{level + 1}]}}\n" for level in range(38))
    wrong = "".join(
        f"    - {{conv: {{channels: 1, kernel: {9 + number}, padding: valid}}, from: input}}\n"
        for number in range(20)
    )
    lines = "\n" * 300_000
    return f"{HEAD}{lines}blocks:\n{blocks}  b38:\n    layers:\n{wrong}layers: [b0]\n"


def misspelled_name() -> str:
    """A misspelled name among tens of thousands of long ones, in a block that is used many times."""
    names = "".join(f"  a_long_name_of_a_variable_{number:06}: 1\n" for number in range(25_000))
    return f"{HEAD}vars:\n{names}" + uses(f"{{n: 1}}\n    {convolution('a_long_name_of_a_varable_7')}", 1900)


def doubled_blocks(levels: int = 30) -> str:
    """Blocks of which each is the next one twice."""
    blocks = "".join(f"  b{n}: {{layers: [b{n + 1}, b{n + 1}]}}\n" for n in range(levels))
    return f"{HEAD}blocks:\n{blocks}  b{levels}: {{layers: [relu]}}\nlayers: [b0]\n"


def variables(count: int, value: str) -> str:
    """Variables of which each has a value made from the number of the next."""
    return "".join(f"  v{number}: {value.format(number + 1)}\n" for number in range(count))


def dotted_names() -> str:
    """A node whose name has ninety parts, below a block whose name has ninety more, many times."""
    name = ".".join("a" * 90)
    block = (
        f"blocks:\n  b: {{layers: [{{relu: , name: {name}}}]}}\n  c: {{layers: [{{b: , name: {name}}}]}}\n"
    )
    return f"{HEAD}{block}layers: [{{c: , repeat: 20000}}]\n"


def nested_blocks() -> str:
    """A layer inside of as many blocks as are allowed, many times."""
    blocks = "".join(f"  b{level}: {{layers: [b{level + 1}]}}\n" for level in range(38))
    return f"{HEAD}blocks:\n{blocks}  b38: {{layers: [relu]}}\nlayers: [{{b0: , repeat: 20000}}]\n"


SPECS: Final[Mapping[str, str]] = {
    "digits that are not a number": f"{HEAD}{convolution(f'{ONES}x')}",
    "digits in a budget": f'{HEAD}{RELU}budget: {{params: "{ONES}!"}}\n',
    "digits in a size": f'{HEAD}{RELU}budget: {{weights_size: "{ONES}!"}}\n',
    "spaces in a budget": f'{HEAD}{RELU}budget: {{params: "1{" " * 20_000}!"}}\n',
    "digits in a rate": f'{HEAD}{RELU}train: {{optimizer: {{sgd: {{lr: "{ONES}!"}}}}}}\n',
    "digits in an exponent": f'{HEAD}{RELU}train: {{optimizer: {{sgd: {{lr: "1e{ONES}"}}}}}}\n',
    "digits in the input": f"input: [1, {ONES}x, 8]\n{RELU}",
    "doubling in the name": f'{doubling()}name: "$a0"\n{RELU}',
    "doubling in training": f'{doubling()}train: {{data: "$a0"}}\n{RELU}',
    "doubling in an expression": f"{doubling()}{convolution('$a0')}",
    "doubling in a reference": f'{doubling()}layers: [relu, {{relu: , from: "$a0"}}]\n',
    "lists compared with themselves": compared_lists(),
    "a block of a list": block_of_a_list(),
    "a table of aliases": table_of_aliases(),
    "faults below blocks": nested_faults(),
    "a misspelled name": misspelled_name(),
    "sums of many branches": joins("add"),
    "concatenations of many branches": joins("concat"),
    "a power of powers": f'{HEAD}vars: {{a: "9**63**63**63"}}\n{convolution("a")}',
    "a large power": f'{HEAD}vars: {{a: "10**5000"}}\n{convolution("a")}',
    "a large number": f"{HEAD}vars: {{a: {'9' * 5000}}}\n{convolution('a + 1')}",
    "a large number in an expression": f"{HEAD}{convolution('9' * 490 + ' + 1')}",
    "doubled blocks": doubled_blocks(),
    "unused variables": f"{HEAD}vars:\n{variables(60_000, '1')}{RELU}",
    "variables that lead to one another": f"{HEAD}vars:\n{variables(50_000, 'v{}')}  v50000: 1\n{RELU}",
    "names of many parts": dotted_names(),
    "names in the last of many blocks": nested_blocks(),
    "a large repeat": f"{HEAD}layers: [{{relu: , repeat: 1000000000}}]\n",
}
