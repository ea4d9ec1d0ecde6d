from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import cnncli
from cnncli.diagnostics import UsageError
from cnncli.training.launch import resuming
from cnncli.training.launch.evaluating import Wanted, evaluate_run
from cnncli.training.runs.files import digest, write_tensors
from cnncli.training.runs.record import sealed
from cnncli.training.runs.run import create_run, open_run
from cnncli.training.runs.weights import read_tensors
from tests.training.support import CPU, SPEC, begin, few_digits, resume, run_whole, settings

Tensors = dict[str, torch.Tensor]


def numbered(name: str = "small") -> Path:
    run = create_run(None, name=name, spec=SPEC, settings=settings(), dataset=few_digits(), device=CPU)
    return run.folder


def test_run_json_has_everything_a_run_was_started_with(tmp_path: Path) -> None:
    begin(tmp_path / "run", settings(tasks={"aux": {"weight": 0.5}}))
    found = json.loads((tmp_path / "run" / "run.json").read_text())
    assert found["schema"] == "cnncli.run/4"
    assert (found["name"], found["status"], found["spec"]) == ("small", "running", SPEC)
    assert found["settings"]["tasks"] == {"aux": {"weight": 0.5}}
    assert found["settings"]["optimizer"]["sgd"]["lr"] == 0.05
    assert found["data"]["source"] == "digits"
    assert found["data"]["columns"] == {"label": {"form": "class", "names": list("0123456789"), "shape": []}}
    assert (found["data"]["train_images"], found["data"]["test_images"]) == (200, 60)
    (environment,) = found["environments"]
    assert environment["device"] == "cpu"
    assert environment["threads"] == torch.get_num_threads()
    assert environment["instructions"] == torch.backends.cpu.get_cpu_capability()
    assert environment["torch"] == torch.__version__
    assert environment["cnncli"] == cnncli.__version__
    assert (tmp_path / "run" / "spec.yaml").read_text() == SPEC


def test_opening_returns_the_same_record(tmp_path: Path) -> None:
    run = begin(tmp_path / "run", settings(tasks={"aux": {"weight": 0.5}}))
    assert open_run(tmp_path / "run").record == run.record


def test_first_free_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert [numbered(), numbered(), numbered("other")] == [
        Path("runs/small-1"),
        Path("runs/small-2"),
        Path("runs/other-1"),
    ]
    assert numbered("../a b/ü") == Path("runs/_a_b_ü-1")


def test_runs_that_begin_at_once_get_folders_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _number: numbered(), range(16)))
    assert sorted(folders) == sorted(Path(f"runs/small-{number}") for number in range(1, 17))


def test_one_of_several_runs_that_begin_at_once_gets_the_folder(tmp_path: Path) -> None:
    def named(number: int) -> str:
        try:
            return begin(tmp_path / "new" / "run", settings(seed=number)).record.id
        except UsageError as error:
            return error.diagnostics[0].message

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(named, range(16)))
    (ours,) = {*found} - {f"another process is training in {tmp_path / 'new' / 'run'}"}
    assert found.count(ours) == 1
    assert open_run(tmp_path / "new" / "run").record.id == ours


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    begin(tmp_path / "run", settings()).set_status("interrupted")
    before = (tmp_path / "run" / "run.json").read_bytes()
    with pytest.raises(UsageError, match="is not empty") as caught:
        begin(tmp_path / "run", settings(optimizer={"sgd": {"lr": 1.0}}))
    assert caught.value.diagnostics[0].hint == "resume the run in it, or choose another folder"
    assert (tmp_path / "run" / "run.json").read_bytes() == before


def test_a_run_that_diverged_is_not_to_be_resumed(tmp_path: Path) -> None:
    """It would diverge again: a resumed run repeats itself to the last bit."""
    begin(tmp_path / "run", settings()).set_status("diverged")
    with pytest.raises(UsageError, match="is not empty") as caught:
        begin(tmp_path / "run", settings())
    assert caught.value.diagnostics[0].hint == "choose another folder"
    with pytest.raises(UsageError, match="has no weights to measure") as caught:
        evaluate_run(tmp_path / "run", Wanted(), "cpu")
    assert caught.value.diagnostics[0].hint == "start a new run with a smaller learning rate"
    with pytest.raises(UsageError, match="run diverged, and would do so again") as caught:
        resuming.resume(tmp_path / "run", ["train.epochs=20"], None, "cpu")
    assert caught.value.diagnostics[0].hint == (
        "start a new run with a smaller train.optimizer.sgd.lr or a longer train.schedule.cosine.warmup"
    )
    (tmp_path / "run" / "run.json").write_text("damaged")
    with pytest.raises(UsageError, match="is not empty") as caught:
        begin(tmp_path / "run", settings())
    assert caught.value.diagnostics[0].hint == "choose another folder"


def test_another_spec_in_the_folder_is_not_shown_as_that_of_the_run(tmp_path: Path) -> None:
    run = begin(tmp_path / "run", settings())
    run.spec.write_text(f"{run.record.spec}# epochs: 100\n")
    with pytest.raises(UsageError, match="is not the spec that the run was started with") as caught:
        open_run(run.folder)
    assert "start a new run" in caught.value.diagnostics[0].hint
    run.spec.unlink()
    assert open_run(run.folder).record == run.record


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".run.json.partial").write_text("{")  # a run that was killed when it started
    assert begin(tmp_path / "run", settings()).folder == tmp_path / "run"


def test_a_file_is_not_a_folder(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("x")
    with pytest.raises(UsageError, match="cannot create the run folder"):
        begin(tmp_path / "run", settings())


@pytest.mark.parametrize("make", [Path.exists, Path.mkdir, Path.touch])
def test_no_run(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "run")
    with pytest.raises(UsageError, match="is not a run"):
        open_run(tmp_path / "run")


def changed(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda record: record.update(changes)


def within(section: str, **values: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda record: record[section].update(values)


def of_label(**values: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda record: record["data"]["columns"]["label"].update(values)


OUTCOME: dict[str, Any] = {
    "epoch": 1,
    "chosen_by": "val.loss",
    "reason": "",
    "figures": {"test.loss": 0.5},
    "overfitting": "",
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (changed(schema="cnncli.run/1"), "does not describe a run"),
        (changed(status="asleep"), "is damaged: status 'asleep'"),
        (changed(spec=None), "is damaged: spec is not a string"),
        (changed(surprise=1), "the run has an unknown key 'surprise'"),
        (changed(data={}), "data has no source"),
        (changed(settings={"lrr": 1}), "is damaged: 'train' has no setting 'lrr'"),
        (changed(normalization={"mean": ["a"], "std": [1]}), r"mean\[0\] is not a number"),
        (changed(normalization={"mean": [True], "std": [1]}), r"mean\[0\] is not a number"),
        (changed(environments=[]), "environments has 0 items"),
        (changed(outcome={}), "outcome has no epoch"),
        (changed(outcome=OUTCOME | {"epoch": 0}), "outcome.epoch is not a whole number of 1 or more"),
        (changed(outcome=OUTCOME | {"chosen_by": "luck"}), "outcome.chosen_by is 'luck'"),
        (changed(outcome=OUTCOME | {"reason": 1}), "outcome.reason is not a string"),
        (changed(outcome=OUTCOME | {"figures": {"loss": 1}}), "outcome.figures has an unknown key 'loss'"),
        (changed(outcome=OUTCOME | {"figures": {"test.f1": 2}}), "test.f1 is not a number from 0 to 1"),
        (changed(created="yesterday"), "created is not a time"),
        (changed(normalization={"mean": [0, 0], "std": [1, 1]}), "must have 1 means and deviations"),
        (changed(normalization={"mean": [0], "std": [0]}), r"std\[0\] is not a number from 1e-30"),
        (changed(normalization={"mean": [10**400], "std": [1]}), r"mean\[0\] is not a number"),
        (within("settings", data=3), "is damaged: unknown data source '3'"),
        (within("settings", data={"resize": []}), "is damaged: .*resize"),
        (within("settings", batch="many"), "is damaged: .*many"),
        (within("settings", optimizer={"sgd": {"lr": -1}}), "is damaged: .*lr"),
        (within("settings", schedule="x"), "is damaged: .*schedule"),
        (within("settings", optimizer=None), "is damaged: .*optimizer"),
        (within("settings", tasks=[1]), "is damaged: .*tasks"),
        (within("data", columns=None), "columns is not a mapping"),
        (of_label(names=None), "label.names is not a list"),
        (of_label(names=[1, 2]), r"data.columns.label.names\[0\] is not a string"),
        (of_label(names=[]), "data.columns.label has no names"),
        (of_label(form="classes"), "data.columns.label.form is 'classes'"),
        (of_label(form=[]), "data.columns.label.form is not a string"),
        (of_label(form="picture"), "data.columns.label has names"),
        (of_label(shape=[1]), "data.columns.label has a shape"),
        (within("data", input=["a"]), r"data.input\[0\] is not a whole number of 1 or more"),
        (changed(data=None), "data is not a mapping"),
        (changed(settings=[]), "settings is not a mapping"),
        (dict.clear, "does not describe a run"),
        (lambda record: record.pop("name"), "the run has no name"),
    ],
)
def test_damaged_record(tmp_path: Path, change: Callable[[dict[str, Any]], Any], message: str) -> None:
    begin(tmp_path / "run", settings())
    path = tmp_path / "run" / "run.json"
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(sealed(record)))
    with pytest.raises(UsageError, match=message):
        open_run(tmp_path / "run")


@pytest.mark.parametrize("content", [b"[" * 100_000, b"", b"{", b"[]", b"\xff\xfe", b'"cnncli.run/4"'])
def test_record_that_is_not_json(tmp_path: Path, content: bytes) -> None:
    begin(tmp_path / "run", settings())
    (tmp_path / "run" / "run.json").write_bytes(content)
    with pytest.raises(UsageError, match=r"run\.json"):
        open_run(tmp_path / "run")


def test_damaged_checkpoint_is_a_message(tmp_path: Path) -> None:
    run_whole(tmp_path / "run", settings(epochs=1))
    path = open_run(tmp_path / "run").checkpoint
    open_run(tmp_path / "run").previous.unlink()
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(UsageError, match="cannot read"):
        resume(tmp_path / "run", settings())
    save_file({"x": torch.ones(1)}, path)
    with pytest.raises(UsageError, match="is not a file of a run") as caught:
        resume(tmp_path / "run", settings())
    assert caught.value.diagnostics[0].received == "no digest"
    write_tensors(path, {"x": torch.ones(1)}, {})
    with pytest.raises(UsageError, match="is not a checkpoint"):
        resume(tmp_path / "run", settings())
    known = {"schema": "cnncli.checkpoint/3", "run": open_run(tmp_path / "run").record.id}
    write_tensors(path, {"x": torch.ones(1)}, known)
    with pytest.raises(UsageError, match="is damaged"):
        resume(tmp_path / "run", settings())


def position(**values: Any) -> Callable[[Tensors, dict[str, Any]], Any]:
    return lambda _tensors, metadata: metadata["position"].update(values)


def tensor(name: str, value: torch.Tensor) -> Callable[[Tensors, dict[str, Any]], Any]:
    return lambda tensors, _metadata: tensors.update({name: value})


@pytest.mark.parametrize(
    "change",
    [
        position(epochs=1.5),
        position(epochs=-1),
        position(epochs=0),
        position(batches=-1),
        position(batches=3),
        position(seconds=None),
        lambda _tensors, metadata: metadata["history"].clear(),
        lambda _tensors, metadata: metadata["history"][0]["figures"].update({"test.loss": None}),
        lambda tensors, _metadata: tensors.pop("random/cpu"),
        tensor("random/cpu", torch.zeros(3)),
        tensor("random/cpu", torch.zeros(3, dtype=torch.uint8)),
        lambda _tensors, metadata: metadata["history"][0]["figures"].update({"test.accuracy": 1.5}),
        lambda _tensors, metadata: metadata["history"][0]["figures"].update({"accuracy": 0.5}),
        lambda _tensors, metadata: metadata["history"][0].update(figures=[]),
        tensor("losses", torch.zeros(2, 3)),
        tensor("figures/output.loss", torch.zeros(2, 3)),
        lambda tensors, _metadata: tensors.update(
            {name: torch.zeros(2, 3, 4) for name in tensors if name.startswith("optimizer/")}
        ),
    ],
)
def test_checkpoint_whose_parts_disagree(
    tmp_path: Path, change: Callable[[Tensors, dict[str, Any]], Any]
) -> None:
    run_whole(tmp_path / "run", settings(epochs=1))
    path = open_run(tmp_path / "run").checkpoint
    tensors, metadata = read_tensors(path)
    change(tensors, metadata)
    write_tensors(path, tensors, metadata)
    with pytest.raises(UsageError, match="checkpoint"):
        resume(tmp_path / "run", settings())


def test_checkpoint_beyond_the_end_of_an_epoch(tmp_path: Path) -> None:
    run_whole(tmp_path / "run", settings(epochs=1))
    path = open_run(tmp_path / "run").checkpoint
    tensors, metadata = read_tensors(path)
    metadata["position"] |= {"batches": 99, "seconds": 1.0}
    names = [name for name in tensors if name.startswith("figures/")]
    figures = {name: torch.ones(99, 2) for name in names}
    write_tensors(path, tensors | figures, metadata)
    with pytest.raises(UsageError, match="after batch 99"):
        resume(tmp_path / "run", settings())


@pytest.mark.parametrize("metadata", ["[]", "{", "[" * 100_000])
def test_metadata_that_is_not_a_mapping(tmp_path: Path, metadata: str) -> None:
    tensors = {"x": torch.ones(1)}
    header = {"cnncli": f"{digest(metadata, tensors)} {metadata}"}
    save_file(tensors, tmp_path / "x.safetensors", header)
    with pytest.raises(UsageError, match=r"cannot read|is damaged"):
        read_tensors(tmp_path / "x.safetensors")
