"""The header of a safetensors file, against what safetensors and torch wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from cnncli.diagnostics import UsageError
from cnncli.transfer.header import Stored, read_header

TYPES = {
    "float64": torch.float64,
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}


def test_names_shapes_and_types_are_those_that_were_written(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    tensors = {f"a.{name}": torch.zeros(2, 3, dtype=each) for name, each in TYPES.items()}
    save_file({**tensors, "count": torch.tensor(7), "none": torch.zeros(0, 4)}, path, {"by": "a test"})
    assert read_header(path) == {
        **{f"a.{name}": Stored((2, 3), name) for name in TYPES},
        "count": Stored((), "I64"),
        "none": Stored((0, 4), "float32"),
    }


def test_a_file_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file({"a": torch.ones(5)}, path)
    whole = path.read_bytes()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        with pytest.raises(UsageError, match=r"w\.safetensors is not a safetensors file"):
            read_header(path)


@pytest.mark.parametrize(
    "header",
    [
        [],
        {"a": 1},
        {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0]}},
        {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}},
        {"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}},
        {"a": {"dtype": "F32", "shape": [True], "data_offsets": [0, 4]}},
        {"a": {"dtype": 32, "shape": [1], "data_offsets": [0, 4]}},
        {"a": {"dtype": "F32", "shape": 1, "data_offsets": [0, 4]}},
        {"a": {"dtype": "I8", "shape": [1], "data_offsets": [0, 5]}},
    ],
)
def test_a_header_of_another_form_is_refused(tmp_path: Path, header: Any) -> None:
    path, text = tmp_path / "w.safetensors", json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(4))
    with pytest.raises(UsageError, match=r"a header that cannot be read|is not a safetensors file"):
        read_header(path)


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*none"):
        read_header(tmp_path / "none")
