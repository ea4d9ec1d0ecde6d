"""Read one head under ``heads:``."""

from __future__ import annotations

from typing import Final, NamedTuple

from cnncli.diagnostics import Diagnostic, Faults, SpecError, did_you_mean
from cnncli.language.readers import Flag
from cnncli.language.scope import Scope, named
from cnncli.language.tree import Entries, Items, Value

_KEYS: Final = ("from", "layers", "training_only")


class WrittenHead(NamedTuple):
    """A head as written: the node it reads, its layers, whether it exists in training only."""

    source: Value | None
    layers: Items
    training_only: bool = False


def read_head(name: str, value: Value, scope: Scope, faults: Faults) -> WrittenHead:
    """Read a head. Unknown keys are added to ``faults``.

    Raises:
        SpecError: the head has the wrong form.
    """
    if isinstance(value, Items):
        return WrittenHead(None, value)
    if not isinstance(value, Entries):
        expected = "a list of layers, or a mapping with 'from' and 'layers'"
        raise SpecError(Diagnostic("heads", f"head '{name}' has the wrong form", value.location, expected))
    for key in value:
        if key not in _KEYS:
            hint = did_you_mean(key, _KEYS, "keys")
            faults.add(Diagnostic("heads", f"unknown key '{key}'", value.keys_at[key].location, hint=hint))
    written = value.get("training_only")
    only = Flag().read(named("training_only", written, scope)) if written is not None else False
    layers = value.get("layers", Items((), value.place))
    if not isinstance(layers, Items):
        message = f"the layers of head '{name}' have the wrong form"
        raise SpecError(Diagnostic("heads", message, layers.location, "a list of layers"))
    return WrittenHead(value.get("from"), layers, only)
