from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from cnncli.diagnostics import CnncliError
from cnncli.training.runs import files


def no_space(_handle: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_write_that_fails_leaves_the_old_content_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, tensors = tmp_path / "a.json", tmp_path / "b.safetensors"
    files.write_json(path, {"a": 1})
    files.write_tensors(tensors, {"x": torch.ones(2)}, {})
    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(CnncliError, match=r"cannot write .*a\.json: No space left"):
        files.write_json(path, {"a": 2})
    with pytest.raises(CnncliError, match=r"cannot write .*b\.safetensors: No space left"):
        files.write_tensors(tensors, {"x": torch.zeros(2)}, {})
    with pytest.raises(CnncliError, match=r"cannot write .*c: No space left"):
        files.append_line(tmp_path / "c", "line")
    assert json.loads(path.read_text()) == {"a": 1}
    assert load_file(tensors)["x"].tolist() == [1, 1]
    assert {each.name for each in tmp_path.iterdir()} == {"a.json", "b.safetensors", "c"}


def test_what_cannot_be_written_is_a_message(tmp_path: Path) -> None:
    for path, message in ((tmp_path / "no" / "such", "cannot write"), (tmp_path, "not a regular file")):
        with pytest.raises(CnncliError, match=message):
            files.write_text(path, "x")
        with pytest.raises(CnncliError, match=message):
            files.write_tensors(path, {"x": torch.ones(1)}, {})
        with pytest.raises(CnncliError, match=message):
            files.append_line(path, "x")
    assert list(tmp_path.iterdir()) == []


def test_the_new_content_is_on_the_disk_before_its_name_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def synced(handle: int) -> None:
        order.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        fsync(handle)

    def replaced(path: Path, target: Path) -> Path:
        order.append("replace")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)
    files.write_text(tmp_path / "a", "x")
    files.write_tensors(tmp_path / "b", {"x": torch.ones(1)}, {})
    assert order == ["file", "replace", "folder"] * 2


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    files.write_tensors(tmp_path / "b", {"x": torch.ones(1)}, {})
    assert (tmp_path / "b").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_lines_are_added(tmp_path: Path) -> None:
    files.append_line(tmp_path / "a", "one")
    files.append_line(tmp_path / "a", "zwölf")
    assert (tmp_path / "a").read_bytes() == "one\nzwölf\n".encode()
