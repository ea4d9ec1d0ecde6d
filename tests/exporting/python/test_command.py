"""``cnncli export --to python``, as it is typed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from cnncli.cli.app import application
from cnncli.cli.exit_codes import OK, WRONG
from cnncli.graph import open_spec
from cnncli.transfer.matching import named_tensors

WORDS = ("export", "lenet5", "--to", "python", "--weights", "given.safetensors", "-o", "net.py")


@pytest.mark.slow
def test_a_file_and_its_weights_that_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shapes = named_tensors(open_spec("lenet5").graph)
    save_file({name: torch.rand(shape) - 0.5 for name, shape in shapes.items()}, "given.safetensors")
    result = CliRunner().invoke(application(), WORDS, env={"COLUMNS": "80"})
    assert result.exit_code == OK, result.output
    assert "weights beside it: net.safetensors" in result.stdout
    assert all(f"{batch}x1x32x32" in result.stdout for batch in (1, 3))
    text = Path("net.py").read_text("utf-8")
    Path("net.py").unlink()
    again = CliRunner().invoke(application(), WORDS)
    assert again.exit_code == WRONG
    assert "net.safetensors exists" in again.stderr
    assert "class Lenet5(nn.Module)" in text
    assert not Path("net.py").exists()
