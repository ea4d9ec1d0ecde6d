"""A module of PyTorch as a flat list of operations, by torch.export."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, fx, nn
from torch.utils import _pytree as pytree

from cnncli.diagnostics import Diagnostic, counted, listing
from cnncli.importing.operations import BATCH, Array, Flat, ImportingError, Operation
from cnncli.importing.operations import Tensor as Constant
from cnncli.language.description import OUTPUT
from cnncli.limits import MAX_FAULTS
from cnncli.training.importing.modules import Known, known
from cnncli.training.importing.operators import READERS, Arguments, UnsupportedError

_FRAME: Final = re.compile(r'File "([^"]+)", line (\d+)')


def traced(module: nn.Module, input_shape: Sequence[int], name: str, file: str) -> Flat:
    """Return the operations that a module runs in inference, for inputs of one size.

    Args:
        module: what to trace; it remains in inference mode.
        input_shape: the shape of one sample.
        name: the name of the network.
        file: the file whose lines are named in messages.

    Raises:
        ImportingError: torch.export cannot trace it, or names each operator that has no operation.
    """
    module.eval()
    x = torch.rand(BATCH, *input_shape)
    try:
        with torch.no_grad():
            program = torch.export.export(module, (x,), strict=False)
    except Exception as error:
        first = (str(error).splitlines() or [""])[0]
        message = f"torch.export cannot trace {name}: {type(error).__name__}: {first}"
        hint = "forward has to take one tensor, and may not decide by its values"
        raise ImportingError(Diagnostic("import", message, hint=hint)) from error
    return _Trace(module, program, name, file).flat()


@dataclass
class _Region:
    """The nodes of one call of a module that is one kind."""

    path: str
    known: Known
    nodes: list[fx.Node]


class _Trace:
    """Reads an exported program."""

    def __init__(self, module: nn.Module, program: Any, name: str, file: str) -> None:
        self.module, self.program, self.name, self.file = module, program, name, file
        self.constants: dict[str, Constant] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.faults: list[Diagnostic] = []
        self.ran: set[str] = set()
        self.words: dict[str, str] = {}
        self.changed: dict[str, str] = {}
        """For each value that was changed in place the one that has its content now."""

    def flat(self) -> Flat:
        """Return the operations.

        Raises:
            ImportingError: names each operator that has no operation.
        """
        signature = self.program.graph_signature
        sources = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
        lifted = getattr(signature, "inputs_to_lifted_tensor_constants", {})
        nodes = list(self.program.graph.nodes)
        for node in nodes:
            value = node.meta.get("val")
            if isinstance(value, Tensor):
                self.shapes[node.name] = tuple(int(n) for n in value.shape)
            if node.name in sources:
                source = sources[node.name]
                stored = self.program.state_dict.get(source, self.program.constants.get(source))
                self.constants[node.name] = Constant(source, _array(stored))
            elif node.name in lifted:
                self.constants[node.name] = Constant("", _array(self.program.constants[lifted[node.name]]))
        operations = list(self._operations(nodes))
        if self.faults:
            more = len(self.faults) - MAX_FAULTS
            tail = [Diagnostic("import", f"and {counted(more, 'more operator')}")] if more > 0 else []
            raise ImportingError([*self.faults[:MAX_FAULTS], *tail])
        (given,) = signature.user_inputs
        return Flat(self.name, given, operations, self._outputs(), self.shapes, self.words, self._notes())

    def _operations(self, nodes: Sequence[fx.Node]) -> Iterator[Operation]:
        regions = self._regions(nodes)
        inside = {node: region for region in regions for node in region.nodes}
        for node in nodes:
            if node.op != "call_function":
                continue
            self._remember(node)
            region = inside.get(node)
            if region is None:
                yield from self._operation(node)
            elif node is region.nodes[-1]:
                yield self._whole(region)

    def _remember(self, node: fx.Node) -> None:
        """Remember which modules ran, and the classes of those around them."""
        for path, kind in _stack(node):
            self.ran.add(path)
            word = str(kind if isinstance(kind, str) else kind.__name__).rpartition(".")[2]
            if word not in ("Sequential", "ModuleList", "ModuleDict"):
                self.words[path] = _snake(word)

    def _regions(self, nodes: Sequence[fx.Node]) -> list[_Region]:
        found: dict[str, _Region] = {}
        modules = dict(self.module.named_modules())
        kinds: dict[str, Known | None] = {}
        for node in nodes:
            if node.op != "call_function":
                continue
            for key, (path, _) in (node.meta.get("nn_module_stack") or {}).items():
                if path not in kinds:
                    kinds[path] = known(modules[path]) if path in modules else None
                kind = kinds[path]
                if kind is not None:
                    found.setdefault(key, _Region(path, kind, [])).nodes.append(node)
                    break
        return list(found.values())

    def _whole(self, region: _Region) -> Operation:
        own = {node.name for node in region.nodes}
        read = [
            self._now(each)
            for node in region.nodes
            for each in node.all_input_nodes
            if each.name not in own and each.name not in self.constants and each.op != "get_attr"
        ]
        modules = dict(self.module.named_modules())
        module = modules[region.path]
        tensors = {
            name: Constant(f"{region.path}.{name}", _array(getattr(module, name)))
            for name in region.known.tensors
        }
        arguments = dict(region.known.arguments)
        if region.known.extra is not None:
            arguments["channels"] = self.shapes[read[0]][1] + region.known.extra
        attributes = {"kind": region.known.kind, "arguments": arguments}
        last, scope = region.nodes[-1], tuple(region.path.split("."))
        return Operation("plain", (read[0],), last.name, attributes, tensors, scope, self._place(last))

    def _operation(self, node: fx.Node) -> Iterator[Operation]:
        name = _operator(node.target)
        scope = self._scope(node, name)
        if name in ("chunk", "split", "split_with_sizes"):
            self._fault(node, name, "no kind takes some of the channels or positions")
        if not isinstance(node.meta.get("val"), Tensor) or node.target is operator.getitem:
            return
        if name not in READERS:
            self._fault(node, name, "no kind computes it")
            return
        try:
            read = READERS[name](self._arguments(node))
            tensors = {own: self._constant(each) for own, each in read.tensors.items()}
        except UnsupportedError as why:
            self._fault(node, name, str(why))
        else:
            place = self._place(node)
            yield Operation(read.word, read.inputs, node.name, read.attributes, tensors, scope, place)
            if str(getattr(node.target, "_opname", "")).endswith("_"):
                self._change(node)

    def _change(self, node: fx.Node) -> None:
        """Remember that an operator has changed its first argument, and what had become of it before."""
        (first, *_) = node.all_input_nodes
        now = self.changed.get(first.name, first.name)
        replaced = {name for name, value in self.changed.items() if value == now}
        self.changed |= dict.fromkeys((first.name, now, *replaced), node.name)

    def _now(self, value: Any) -> Any:
        """Return an argument with the values that have the content of those it names now."""
        if isinstance(value, fx.Node):
            return self.changed.get(value.name, value.name)
        return [self._now(each) for each in value] if isinstance(value, list | tuple) else value

    def _constant(self, name: str) -> Constant:
        if name not in self.constants:
            raise UnsupportedError("weights that are computed")
        return self.constants[name]

    def _arguments(self, node: fx.Node) -> Arguments:
        declared = node.target._schema.arguments  # type: ignore[union-attr]
        given = {each.name: each.default_value for each in declared}
        given |= {each.name: self._now(value) for each, value in zip(declared, node.args, strict=False)}
        given |= {key: self._now(value) for key, value in node.kwargs.items()}
        arrays = {name: constant.values for name, constant in self.constants.items()}
        return Arguments(given, arrays, self.shapes, self.shapes[node.name])

    def _fault(self, node: fx.Node, name: str, why: str) -> None:
        place = self._place(node)
        scope = ".".join(self._scope(node, ""))
        inside = f" in {scope}" if scope else ""
        self.faults.append(Diagnostic("import", f"{place}: '{name}'{inside}: {why}"))

    def _scope(self, node: fx.Node, name: str) -> tuple[str, ...]:
        """Return the path of the module that runs an operator, and the operator's name if it runs several."""
        stack = [path for path, _ in _stack(node) if path]
        if not stack:
            return (name.strip("_"),) if name else ()
        path = stack[-1]
        leaf = not any(True for _ in dict(self.module.named_modules())[path].children()) if name else True
        return tuple(path.split(".")) if leaf else (*path.split("."), name.strip("_"))

    def _place(self, node: fx.Node) -> str:
        """Return the line that runs an operator: in the file that is imported, or else the innermost one."""
        frames = _FRAME.findall(node.meta.get("stack_trace") or "")
        own = [(file, line) for file, line in frames if file == self.file]
        file, line = (own or frames or [(self.file, "")])[-1]
        return f"{file}:{line}" if line else file

    def _outputs(self) -> dict[str, str]:
        values = [self.changed.get(each, each) for each in self.program.graph_signature.user_outputs]
        numbers = pytree.tree_unflatten(
            [str(each) for each in range(len(values))], self.program.call_spec.out_spec
        )
        if isinstance(numbers, str):
            return {OUTPUT: values[0]}
        named: Mapping[str, Any] = (
            numbers
            if isinstance(numbers, dict)
            else {f"output{key}": each for key, each in enumerate(numbers)}
        )
        if not all(isinstance(each, str) for each in named.values()):
            raise ImportingError(
                Diagnostic("import", f"{self.name} returns nested values", None, "tensors by name")
            )
        return {str(key): values[int(each)] for key, each in named.items()}

    def _notes(self) -> tuple[str, ...]:
        """Return which modules did not run, so that nothing is left out without a word."""
        idle = [
            path
            for path, module in self.module.named_modules()
            if path
            and path not in self.ran
            and not any(True for _ in module.children())
            and not isinstance(module, nn.Identity)
        ]
        if not idle:
            return ()
        return (f"modules that compute nothing in inference are left out: {listing(idle)}",)


def _stack(node: fx.Node) -> list[tuple[str, Any]]:
    return [(path.split("@")[0], kind) for path, kind in (node.meta.get("nn_module_stack") or {}).values()]


def _snake(word: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", word).lower()


def _operator(target: Any) -> str:
    """Return the name of an operator without namespace, overload, and the mark of one in place."""
    name = str(getattr(target, "_opname", "") or getattr(target, "__name__", target))
    if name.endswith("_") and not name.startswith("__"):
        name = name.removesuffix("_")
    return name


def _array(value: Tensor) -> Array:
    found: Array = (
        value.detach().to("cpu", torch.float32 if value.is_floating_point() else value.dtype).numpy()
    )
    return found
