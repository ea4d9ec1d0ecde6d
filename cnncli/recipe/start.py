"""Where the first weights of a training come from; ``transfer/`` compares them with the network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cnncli.language.fields import Record, arg
from cnncli.language.nested import ByName, ListOf, Unset
from cnncli.language.readers import Text
from cnncli.limits import MAX_GROUPS

CODE: Final = "start"
"""The code of the errors about first weights."""

SUFFIXES: Final = (".safetensors", ".pth", ".pt")
"""The suffixes of files of weights."""


class _Tensors(Text):
    """A pattern of names."""

    expected = "names of tensors, layers or blocks, such as 'head.*'"


class _Place(Text):
    """A run or a file."""

    expected = f"the folder of a run, or a file ({', '.join(SUFFIXES)})"


class _Key(Text):
    """The name of a value among others that torch saved."""

    expected = "the name of a state dict in the file, such as model_ema"


class _Name(Text):
    """The name of a tensor, or of what is around it."""

    expected = "the name of a tensor, a layer or a block; an empty one stands for the whole network"


class Start(Record):
    """Begin with weights that are already learned instead of random ones."""

    keyword = "start"
    member = "setting"

    from_: str = arg(_Place(), "the folder of a run, or a file with a state dict", main=True)
    key: str | None = arg(
        Unset(_Key()),
        "which of several state dicts in a file of torch; unset: the only one",
        default=None,
    )
    reset: tuple[str, ...] = arg(
        ListOf(_Tensors(), MAX_GROUPS, "['head.*']"),
        "tensors, layers or blocks that keep their initial weights; what the file has for them is left out",
        default=(),
    )
    map: Mapping[str, str] = arg(
        ByName(_Name(), "names in the file", "fc"),
        "names in the file that are others in the network, of tensors, layers or blocks",
        default={},
    )
