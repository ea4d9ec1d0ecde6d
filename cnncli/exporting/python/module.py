"""The text of a Python module with the classes of a graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from cnncli.algebra import whole_shape
from cnncli.exporting.python.classes import Builder, Class, Line, Parameter
from cnncli.exporting.python.expressions import (
    REQUIRED,
    WIDTH,
    Brackets,
    Chain,
    Document,
    Module,
    document,
    lines,
    literal,
)
from cnncli.exporting.python.helpers import HELPERS, helpers
from cnncli.exporting.python.names import RESERVED, identifier
from cnncli.graph import Graph
from cnncli.graph.grouping import Order, order_of, tree
from cnncli.language.description import INPUT, OUTPUT
from cnncli.layers import shape_text

_LOAD: Final = '''
WEIGHTS = Path(__file__).with_suffix(".safetensors")


def load(weights: str | Path = WEIGHTS) -> {name}:
    """Return the network with the weights of a safetensors file, for inference."""
    network = {name}()
    found = network.load_state_dict(read_tensors(Path(weights)), strict=False)
    different = [*found.missing_keys, *found.unexpected_keys]
    # torch's counter of batches, which changes no output, may be absent.
    different = [name for name in different if not name.endswith("batches_tracked")]
    if different:
        raise ValueError(f"{weights} does not have the tensors: {different}")
    return network.eval()


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file: a header as JSON, then the numbers."""
    types = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16}
    types |= {"BF16": torch.bfloat16, "I64": torch.int64}
    content = bytearray(path.read_bytes())
    start = 8 + int.from_bytes(content[:8], "little")
    tensors = {}
    for name, entry in json.loads(content[8:start]).items():
        if name != "__metadata__":
            first, end = (start + offset for offset in entry["data_offsets"])
            values = torch.frombuffer(content[first:end], dtype=types[entry["dtype"]])
            tensors[name] = values.view(entry["shape"])
    return tensors
'''


def python_source(graph: Graph) -> str:
    """Return a module that defines the network of a graph as a class, and needs torch alone.

    Blocks are classes and repeats are loops; names of tensors are those of the spec. The text is formatted as
    Ruff formats it.

    Raises:
        CnncliError: a kind, from a plug-in, cannot be exported; or a size is not a number.
    """
    nodes, order = order_of(graph)
    builder = Builder(graph, order)
    builder.build(tree(nodes, order))
    classes = [list(_class(each, graph, order)) for each in builder.classes]
    used = {name for each in builder.classes for name in _used(each)}
    texts = [*helpers(sorted(used)), *("\n".join(each) for each in classes)]
    name = builder.classes[-1].name
    loading = _LOAD.replace("{name}", name).strip("\n")
    body = "\n\n\n".join([*texts, loading])
    space = ["", ""] if body.startswith(("class ", "def ")) else [""]
    return "\n".join([*_head(graph, name, body), *space, body, ""])


def _head(graph: Graph, name: str, body: str) -> Iterator[str]:
    shape = shape_text(whole_shape(graph.input))
    outputs = ", ".join(
        f"{key}: {shape_text(whole_shape(output.shape))}" for key, output in graph.outputs.items()
    )
    text = f"{graph.name}: input {shape}, {outputs}."
    yield f'"""{text}' if len(text) <= WIDTH - 6 else f'"""{graph.name}: input {shape}.'
    yield ""
    yield f"`{name}()` has newly initialized weights, and `load()` those of the"
    yield "safetensors file beside this one. Names of tensors are those of the spec. Comments"
    yield "are the shapes of one sample."
    yield '"""'
    yield ""
    yield "from __future__ import annotations"
    yield ""
    yield "import json"
    if "OrderedDict(" in body:
        yield "from collections import OrderedDict"
    if "Sequence[" in body:
        yield "from collections.abc import Sequence"
    if "prod(" in body:
        yield "from math import prod"
    yield "from pathlib import Path"
    yield ""
    yield "import torch"
    yield "from torch import Tensor, nn"
    if "functional." in body:
        yield "from torch.nn import functional"


def _used(made: Class) -> Iterator[str]:
    """Yield the helpers that a class may need."""
    for _, module in made.modules:
        yield from _functions(module)
    for line in made.body.lines:
        yield _aligner(line)


def _functions(module: Module) -> Iterator[str]:
    if isinstance(module, Chain):
        for _, item in module.items:
            yield from _functions(item)
    else:
        yield module.function


# -- a class ---------------------------------------------------------------------------------------


def _class(made: Class, graph: Graph, order: Order) -> Iterator[str]:
    yield f"class {made.name}(nn.Module):"
    yield from _docstring(made, graph, order)
    yield ""
    yield from _signature(made.parameters)
    yield "        super().__init__()"
    for name, module in made.modules:
        if name.isidentifier():
            yield from lines(f"self.{name} = ", document(module), "", 8)
        else:
            yield from lines("", Brackets("self.add_module(", (f'"{name}"', document(module)), ")"), "", 8)
    if made.body.lines:
        yield ""
        yield from _forward(made, graph, order)


def _docstring(made: Class, graph: Graph, order: Order) -> Iterator[str]:
    body = made.body
    if not body.group.path:
        yield f'    """The network {graph.name}."""'
        return
    others = len(made.bodies) - 1
    more = f" and {others} more" if others else ""
    if not body.lines:
        yield f'    """The layers of {body.group.path}{more}."""'
        return
    read = " and ".join(_shape(order, body.values[number]) for number in range(len(body.inputs)))
    given = " and ".join(_shape(order, body.values[number]) for number in body.outputs)
    where = " there" if others else ""
    first, second = f"{body.group.path}{more}.", f"{read} to {given}{where}."
    if len(first) + len(second) + 11 <= WIDTH:
        yield f'    """{first[:-1]}: {second}"""'
    else:
        yield from (f'    """{first}', "", f"    {second}", '    """')


def _shape(order: Order, name: str) -> str:
    return shape_text(whole_shape(order.shapes[name]))


def _signature(parameters: Sequence[Parameter]) -> Iterator[str]:
    required = [each for each in parameters if each.default is REQUIRED]
    optional = [each for each in parameters if each.default is not REQUIRED]
    words: list[str] = ["self", *(f"{each.name}: {_type(each)}" for each in required)]
    if optional:
        words.append("*")
    for each in optional:
        default = literal(each.default)
        assert isinstance(default, str)
        words.append(f"{each.name}: {_type(each)} = {default}")
    yield from lines("", Brackets("def __init__(", tuple(words), ")"), " -> None:", 4)


def _type(parameter: Parameter) -> str:
    found = {_type_of(value) for value in (*parameter.values, parameter.default) if value is not REQUIRED}
    return " | ".join(sorted(found, key=lambda word: (word == "None", word.startswith("tuple"), word)))


def _type_of(value: Any) -> str:
    if value is None:
        return "None"
    if isinstance(value, tuple):
        return f"tuple[{', '.join(map(_type_of, value))}]"
    return type(value).__name__


# -- forward ---------------------------------------------------------------------------------------


def _forward(made: Class, graph: Graph, order: Order) -> Iterator[str]:
    body, root = made.body, not made.body.group.path
    names = _variables(made, graph)
    arguments = ["self", *(f"{names[number]}: Tensor" for number in range(len(body.inputs)))]
    outputs = graph.outputs if root else {}
    if not root:
        several = len(body.outputs) > 1
        kinds = f"tuple[{', '.join(['Tensor'] * len(body.outputs))}]" if several else "Tensor"
    else:
        kinds = "Tensor" if list(outputs) == [OUTPUT] else "dict[str, Tensor]"
    yield from lines("", Brackets("def forward(", tuple(arguments), ")"), f" -> {kinds}:", 4)
    later = {node.name for node in graph.nodes if node.training_only} if root else set()
    if root:
        yield from _commented(f"# input: {_shape(order, INPUT)}", 8)
    first = [line for line in body.lines if not _is_later(made, line, later)]
    for line in first:
        yield from _statement(made, line, names, order, 8)
    if not root:
        yield f"        return {', '.join(names[number] for number in body.outputs)}"
        return
    yield from _returned(made, graph, names, order, later)


def _is_later(made: Class, line: Line, later: set[str]) -> bool:
    part: Any = made.body.group
    for name in line.path:
        part = part.parts[name]
    nodes = part.nodes if hasattr(part, "nodes") else (part,)
    return nodes[0].name in later


def _commented(text: str, indent: int) -> Iterator[str]:
    yield " " * indent + text


def _returned(
    made: Class, graph: Graph, names: Mapping[int, str], order: Order, later: set[str]
) -> Iterator[str]:
    """Yield the end of the network's ``forward``: heads for training only are computed in training."""
    numbers = {name: number for number, name in enumerate(made.body.values)}
    always = {key: out for key, out in graph.outputs.items() if not out.training_only}
    if not later and list(graph.outputs) == [OUTPUT]:
        yield f"        return {names[numbers[graph.outputs[OUTPUT].node]]}"
        return
    pairs = tuple(f'"{key}": {names[numbers[out.node]]}' for key, out in always.items())
    yield from lines("outputs = " if later else "return ", Brackets("{", pairs, "}"), "", 8)
    if not later:
        return
    yield "        if self.training:"
    for line in made.body.lines:
        if _is_later(made, line, later):
            yield from _statement(made, line, names, order, 12)
    for key, out in graph.outputs.items():
        if out.training_only:
            yield f'            outputs["{key}"] = {names[numbers[out.node]]}'
    yield "        return outputs"


def _statement(made: Class, line: Line, names: Mapping[int, str], order: Order, indent: int) -> Iterator[str]:
    read = [names[number] for number in line.inputs]
    targets = ", ".join(names[number] for number in line.targets)
    before = f"{targets} = " if targets else ""
    shapes = [made.shapes(order, number) for number in line.targets]
    comment = ""
    if shapes and None not in shapes:
        comment = f"  # {', '.join(shape_text(whole_shape(shape)) for shape in shapes if shape is not None)}"
    found = [*lines(before, _expression(line, read), "", indent)]
    if len(found) == 1 and len(found[0]) + len(comment) <= WIDTH:
        yield found[0] + comment
    else:
        yield from found


def _aligner(line: Line) -> str:
    """Return the function that makes the sizes of branches equal; "" if they are."""
    operator, align = line.join
    if operator == "matched":
        return "nearest_as" if align == "nearest" else "cut_as"
    if not align:
        return ""
    return "product" if operator == "*" else {"crop": "cropped", "pad": "padded"}[align]


def _expression(line: Line, read: Sequence[str]) -> Document:
    (operator, align), aligner = line.join, _aligner(line)
    if not operator:
        return Brackets(f"{_module(line.path)}(", tuple(read), ")")
    if operator in ("+", "*") and not align:
        return f" {operator} ".join(read)
    if operator == "matched":
        return Brackets(f"{aligner}(", tuple(read), ")")
    branches = Brackets("[", tuple(read), "]")
    if operator == "*":
        return Brackets("product(", (branches, f"largest={align == 'pad'}"), ")")
    parts = Brackets(f"{aligner}(", (branches,), ")") if align else branches
    if operator == "+":
        return Brackets("torch.stack(", (parts,), ").sum(0)")
    return Brackets("torch.cat(", (parts, "1"), ")")


def _module(path: Sequence[str]) -> str:
    """Return the expression of a module by the names that lead to it."""
    found = "self"
    for name in path:
        found = f"{found}.{name}" if name.isidentifier() else f'getattr({found}, "{name}")'
    return found


def _variables(made: Class, graph: Graph) -> dict[int, str]:
    """Return the variable of each value.

    A value that only the next statement reads is x, or y while x is still needed; others have the names of
    what makes them.
    """
    body, root = made.body, not made.body.group.path
    numbers = {name: number for number, name in enumerate(body.values)}
    kept = {numbers[out.node] for out in graph.outputs.values()} if root else set(body.outputs)
    last: dict[int, int] = {}
    uses: dict[int, list[int]] = {}
    for place, line in enumerate(body.lines):
        for number in line.inputs:
            last[number] = place
            uses.setdefault(number, []).append(place)
    last |= dict.fromkeys(kept, len(body.lines))
    names: dict[int, str] = {}
    live: set[int] = set()
    for number in range(len(body.inputs)):
        names[number] = "x" if number == 0 else _free(_given(made, number), names, live)
        live.add(number)
    for place, line in enumerate(body.lines):
        live = {number for number in live if last.get(number, -1) > place}
        for number in line.targets:
            ends = number in kept and place == len(body.lines) - 1 and len(kept) == 1
            brief = ends or (number not in kept and set(uses.get(number, ())) == {place + 1})
            lone = len(line.targets) == 1
            word = "x" if brief and lone else identifier(".".join(line.path) if lone else body.values[number])
            names[number] = _free(word, names, live, plain=brief)
            live.add(number)
    return names


def _given(made: Class, number: int) -> str:
    """Return the name of a value that comes from outside: that of what makes it, if it is always the same."""
    words = set()
    for body in made.bodies:
        own, path = body.group.path.split("."), body.values[number].split(".")
        common = next((k for k, (a, b) in enumerate(zip(own, path, strict=False)) if a != b), 0)
        words.add(path[common])
    return identifier(words.pop()) if len(words) == 1 else "skip"


def _free(word: str, names: Mapping[int, str], live: set[int], *, plain: bool = False) -> str:
    """Return a name that no value that is still needed has."""
    taken = {names[number] for number in live} | (set() if plain else {*HELPERS, *_FUNCTIONS, *RESERVED})
    choices = [word, "y", "z"] if word == "x" else [word]
    for choice in choices:
        if choice not in taken:
            return choice
    number = 2
    while f"{choices[-1]}_{number}" in taken:
        number += 1
    return f"{choices[-1]}_{number}"


_FUNCTIONS: Final = frozenset(
    {"is_scale", "outputs", "load", "getattr", "read_tensors", "capsule_lengths", "safe_root"}
)
