"""Beginning with weights that are already learned: what is copied, adapted, recorded and continued."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import cnncli
from cnncli.architecture import Architecture
from cnncli.diagnostics import UsageError
from cnncli.training.launch.starting import prepare
from cnncli.training.runs.run import open_run
from cnncli.training.warm.starting import adapted
from tests.training.support import Killed, Recorder, kill, raise_at, same_tensors

SPEC = """
name: tiny
input: [1, 8, 8]
vars: {classes: 10}
layers:
  - {name: stem, conv: {channels: 4, kernel: 3}}
  - {name: bn, batchnorm: }
  - relu
  - flatten
  - {name: head, linear: classes}
train:
  data: {source: digits, limit: 0.2}
  epochs: 1
  batch: 32
"""

PARITY = {"output": {"target": {"map": [str(number % 2) for number in range(10)]}}}


def tiny(**changes: str) -> Architecture:
    return cnncli.loads(SPEC, overrides=[f"{name}={value}" for name, value in changes.items()])


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose weights others begin with."""
    folder = tmp_path_factory.mktemp("before") / "run"
    tiny().train(run=folder, device="cpu", seed=5)
    return folder


def weights(folder: Path) -> dict[str, Tensor]:
    return load_file(folder / "weights.safetensors")


def initial(**settings: Any) -> dict[str, Tensor]:
    """The state dict before the first step."""
    network = tiny()._with_settings(settings)
    return prepare(network._opened, network.settings, "cpu").network.state_dict()


def same(left: dict[str, Tensor], right: dict[str, Tensor], *but: str) -> bool:
    return left.keys() == right.keys() and all(
        torch.equal(left[name], right[name]) for name in left if not name.startswith(but or ("-",))
    )


def test_all_weights_are_those_of_the_run(before: Path) -> None:
    assert same(initial(start=str(before)), weights(before))
    assert same(initial(start={"from": str(before / "weights.safetensors")}), weights(before))
    assert not same(initial(), weights(before))


def test_what_is_reset_has_the_weights_of_the_seed(before: Path) -> None:
    """Here for other classes, whose number follows the data."""
    how = {"seed": 3, "tasks": PARITY}
    found, scratch = initial(start={"from": str(before), "reset": ["head.*"]}, **how), initial(**how)
    assert found["head.weight"].shape == (2, 144)
    assert torch.equal(found["head.weight"], scratch["head.weight"])
    assert torch.equal(found["head.bias"], scratch["head.bias"])
    rest = weights(before)
    assert all(torch.equal(found[name], rest[name]) for name in rest if not name.startswith("head"))
    with pytest.raises(UsageError, match=r"2 tensors of .* have another shape"):
        initial(start=str(before), **how)


def test_the_best_weights_of_a_run_count(tmp_path: Path) -> None:
    data = {"source": "digits", "limit": 0.2, "holdout": 0.2}
    tiny().train(run=tmp_path / "run", device="cpu", epochs=3, data=data, optimizer={"sgd": {"lr": 0.9}})
    best = load_file(tmp_path / "run" / "best.safetensors")
    assert same(initial(start=str(tmp_path / "run")), best)


def test_a_state_dict_of_torch_computes_the_same(tmp_path: Path) -> None:
    """The oracle is a module of torch alone; half of its files wrap the state dict, as trainers do."""
    torch.manual_seed(1)
    theirs = nn.Sequential(
        OrderedDict(
            stem=nn.Conv2d(1, 4, 3),
            bn=nn.BatchNorm2d(4),
            act=nn.ReLU(),
            flat=nn.Flatten(),
            fc=nn.Linear(144, 10),
        )
    )
    theirs(torch.randn(16, 1, 8, 8))
    images = torch.rand(3, 1, 8, 8)
    expected = theirs.eval()(images)
    plain, wrapped = tmp_path / "a.pth", tmp_path / "b.pt"
    torch.save(theirs.state_dict(), plain)
    torch.save({"epoch": 3, "state_dict": theirs.state_dict()}, wrapped)
    torch.save(theirs.state_dict(), tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    for path in (plain, wrapped, tmp_path / "old.pth"):
        ours = tiny().module()
        state = initial(start={"from": str(path), "map": {"fc": "head"}})
        ours.load_state_dict(state)
        assert torch.equal(ours.eval()(images), expected)
        assert state["bn.num_batches_tracked"] == 1


def test_one_of_several_state_dicts_is_chosen_by_its_key(before: Path, tmp_path: Path) -> None:
    path, own = tmp_path / "two.pth", weights(before)
    torch.save({"model": own, "model ema": {name: each * 2 for name, each in own.items()}, "n": 1}, path)
    found = initial(start={"from": str(path), "key": "model ema"})
    assert all(torch.equal(each, own[name] * 2) for name, each in found.items() if name in own)
    torch.save(own, tmp_path / "one.pth")
    for start, message in (
        ({"from": str(path)}, "has 2 state dicts"),
        ({"from": str(path), "key": "modl"}, "has no state dict called 'modl'"),
        ({"from": str(tmp_path / "one.pth"), "key": "a"}, "so there is nothing to choose"),
        ({"from": str(before), "key": "a"}, "so there is nothing to choose"),
    ):
        with pytest.raises(UsageError, match=message) as caught:
            initial(start=start)
        (fault,) = caught.value.diagnostics
        assert "model" in fault.hint + fault.expected or "nothing" in message


def test_other_types_are_converted(before: Path, tmp_path: Path) -> None:
    half = {name: each.half() if each.is_floating_point() else each for name, each in weights(before).items()}
    save_file(half, tmp_path / "half.safetensors")
    found = initial(start=str(tmp_path / "half.safetensors"))
    assert all(each.dtype != torch.float16 for each in found.values())
    assert same(found, {name: each.to(found[name].dtype) for name, each in half.items()})


def test_kernels_are_adapted_as_timm_does() -> None:
    """The formulas of ``adapt_input_conv`` of timm 1.0, written out for each number of channels."""
    kernels = torch.rand(5, 4, 3, 3)
    a, b, c, d = kernels.split(1, dim=1)
    expected = {
        (3, 1): a + b + c,
        (3, 2): torch.cat([a, b], 1) * 3 / 2,
        (3, 4): torch.cat([a, b, c, a], 1) * 3 / 4,
        (3, 7): torch.cat([a, b, c, a, b, c, a], 1) * 3 / 7,
        (1, 3): torch.cat([a, a, a], 1) / 3,
        (2, 5): torch.cat([a, b, a, b, a], 1) * 2 / 5,
        (4, 3): torch.cat([a, b, c], 1) * 4 / 3,
        (4, 1): a + b + c + d,
    }
    for (before, after), result in expected.items():
        torch.testing.assert_close(adapted(kernels[:, :before], after), result)


def test_a_color_network_learns_gray_images(before: Path, tmp_path: Path) -> None:
    tensors = weights(before)
    tensors["stem.weight"] = torch.rand(4, 3, 3, 3)
    save_file(tensors, tmp_path / "color.safetensors")
    found = initial(start=str(tmp_path / "color.safetensors"))
    torch.testing.assert_close(found["stem.weight"], tensors["stem.weight"].sum(1, keepdim=True))
    assert same(found, weights(before), "stem.weight")


def test_frozen_layers_keep_every_bit(before: Path, tmp_path: Path) -> None:
    frozen = [{"match": name, "freeze": True} for name in ("stem", "bn")]
    start = {"from": str(before), "reset": ["head"]}
    tiny().train(run=tmp_path / "run", device="cpu", start=start, groups=frozen)
    after, origin = weights(tmp_path / "run"), weights(before)
    assert same(after, origin, "head")
    assert not torch.equal(after["head.weight"], origin["head.weight"])
    assert not torch.equal(after["head.weight"], initial(start=start)["head.weight"])


def test_a_run_is_continued_without_the_file(before: Path, tmp_path: Path) -> None:
    """It was killed in its epoch; the file is gone; the weights are those of a run that was not killed."""
    file = tmp_path / "first.safetensors"
    file.write_bytes((before / "weights.safetensors").read_bytes())
    how: dict[str, Any] = {"start": str(file), "device": "cpu", "save": {"steps": 2}}
    tiny().train(run=tmp_path / "whole", **how)
    launch = tiny().begin(run=tmp_path / "run", **how)
    with pytest.raises(Killed):
        launch.start(Recorder(raise_at(1, 5, "train", kill)), report_every=0)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    file.unlink()
    again = tiny().begin(run=tmp_path / "run", **how)
    assert again.introduction.start is not None
    assert again.introduction.start.matching is None
    again.start()
    assert same_tensors(tmp_path / "run" / "weights.safetensors", tmp_path / "whole" / "weights.safetensors")
    record = json.loads((tmp_path / "run" / "run.json").read_text("utf-8"))
    assert record["start"] == {"file": str(file), "sha256": digest, "entry": ""}
    with pytest.raises(UsageError, match=r"settings differ .*start.from"):
        tiny().begin(run=tmp_path / "run", **{**how, "start": str(before)})


def test_a_run_without_a_checkpoint_begins_with_the_same_file(before: Path, tmp_path: Path) -> None:
    file = tmp_path / "first.safetensors"
    file.write_bytes((before / "weights.safetensors").read_bytes())
    tiny().begin(run=tmp_path / "run", start=str(file), device="cpu")
    for launch in (
        cnncli.resume(tmp_path / "run", device="cpu"),
        tiny().begin(run=tmp_path / "run", start=str(file), device="cpu"),
    ):
        assert same(dict(launch.network.state_dict()), weights(before))
    assert open_run(tmp_path / "run").record.status == "running"
    tensors = weights(before)
    tensors["head.bias"] += 1
    save_file(tensors, file)
    with pytest.raises(UsageError, match=r"is not the file that .*run was started from"):
        cnncli.resume(tmp_path / "run", device="cpu")


class _Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("run",)


def test_files_of_another_kind_are_refused(
    before: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"a": _Evil()}, tmp_path / "evil.pth")
    (tmp_path / "text.pth").write_text("not weights")
    two = {"model": {"a": torch.ones(1)}, "ema": {"a": torch.ones(1)}}
    torch.save(two, tmp_path / "two.pth")
    torch.save([torch.ones(1)], tmp_path / "list.pth")
    bad = {**weights(before), "stem.bias": torch.full((4,), torch.nan)}
    save_file(bad, tmp_path / "nan.safetensors")
    damaged = bytearray((before / "weights.safetensors").read_bytes())
    damaged[-1] ^= 1
    (tmp_path / "damaged.safetensors").write_bytes(damaged)
    for place, message in {
        "evil.pth": "cannot read",
        "text.pth": "cannot read",
        "two.pth": "has 2 state dicts",
        "list.pth": "is not a state dict",
        "nan.safetensors": "are not finite: stem.bias",
        "damaged.safetensors": "is damaged",
        "none.pth": "has no weights to read",
        ".": "is not a run",
    }.items():
        with pytest.raises(UsageError, match=message):
            initial(start=str(tmp_path / place))
    assert capsys.readouterr().out == ""
