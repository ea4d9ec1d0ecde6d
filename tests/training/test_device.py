from __future__ import annotations

import subprocess
import sys
import threading

import pytest
import torch

from cnncli.diagnostics import UsageError
from cnncli.training import extras
from cnncli.training.device import choose_device
from cnncli.training.interrupts import Interrupts


def test_cpu_is_always_there() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("cpu:0") == torch.device("cpu:0")


@pytest.mark.parametrize(
    ("cuda", "mps", "best"), [(0, False, "cpu"), (0, True, "mps"), (2, False, "cuda"), (1, True, "cuda")]
)
def test_auto_takes_the_best(monkeypatch: pytest.MonkeyPatch, cuda: int, mps: bool, best: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert choose_device("auto") == torch.device(best)
    if cuda == 2:
        assert choose_device("cuda:1") == torch.device("cuda:1")
        with pytest.raises(UsageError, match="no cuda:2") as caught:
            choose_device("cuda:2")
        assert caught.value.diagnostics[0].expected == "cuda:0 to cuda:1"


@pytest.mark.parametrize("word", ["gpu", "", "cuda:", "cuda:x", "cuda:-1", "auto:1", "CPU", "meta"])
def test_no_such_device(word: str) -> None:
    with pytest.raises(UsageError, match=f"unknown device '{word}'"):
        choose_device(word)


def test_device_that_is_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    for word in ("cuda", "mps"):
        with pytest.raises(UsageError, match=f"this machine has no {word}") as caught:
            choose_device(word)
        assert caught.value.diagnostics[0].expected == "cpu"


def test_missing_packages_are_named_as_they_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    extras.need_training()
    for package in ("PIL", "sklearn"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError, match="needs pillow and scikit-learn, which are not installed") as caught:
        extras.need_training()
    assert caught.value.diagnostics[0].hint == "pip install 'cnncli[train]'"


def test_looking_for_packages_imports_none() -> None:
    code = (
        "import sys; from cnncli.training.extras import need_training; need_training();"
        "sys.exit(bool({'torch', 'numpy', 'sklearn', 'PIL', 'safetensors'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_interrupts_outside_of_the_main_thread_change_nothing() -> None:
    seen: list[object] = []

    def work() -> None:
        with Interrupts() as interrupts:
            seen.append(interrupts.received)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [None]
