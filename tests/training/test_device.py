from __future__ import annotations

import subprocess
import sys
import threading
from inspect import signature

import pytest
import torch

from cnncli.diagnostics import UsageError
from cnncli.interrupts import Interrupts
from cnncli.training import extras
from cnncli.training.data.feed import fits
from cnncli.training.device import BACKENDS, Backend, choose_device
from cnncli.training.runs.checkpoint import random_states, restore_random


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


def test_data_takes_at_most_half_of_the_free_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fits(10**18, torch.device("cpu"))
    monkeypatch.setitem(BACKENDS, "cuda", Backend(available=lambda: 1, free_memory=lambda _: 101))
    assert fits(50, torch.device("cuda"))
    assert not fits(51, torch.device("cuda"))


def test_a_device_with_its_own_generator_is_saved_and_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    restored: list[tuple[torch.Tensor, torch.device]] = []
    state, device = torch.arange(3), torch.device("cuda:1")
    own = Backend(
        available=lambda: 2,
        random_state=lambda asked: state + asked.index,
        set_random_state=lambda saved, asked: restored.append((saved, asked)),
    )
    monkeypatch.setitem(BACKENDS, "cuda", own)
    states = random_states(device)
    assert torch.equal(states["cuda"], state + 1)
    restore_random(states, device)
    assert restored == [(states["cuda"], device)]
    restore_random(random_states(torch.device("cpu")), device)  # a run that moves from the CPU to a GPU
    assert len(restored) == 1


@pytest.mark.parametrize("kind", BACKENDS)
def test_torch_takes_what_backends_are_called_with(kind: str) -> None:
    backend, device = BACKENDS[kind], torch.device(kind)
    signature(backend.wait).bind(device)
    signature(backend.free_memory).bind(device)
    assert (backend.random_state is None) == (backend.set_random_state is None) == (kind == "cpu")
    if backend.random_state is not None and backend.set_random_state is not None:
        signature(backend.random_state).bind(device)
        signature(backend.set_random_state).bind(torch.empty(0), device)


def test_missing_packages_are_named_as_they_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    extras.need_training()
    for package in ("PIL", "numpy"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError, match="needs numpy and pillow, which are not installed") as caught:
        extras.need_training()
    assert caught.value.diagnostics[0].hint == "pip install 'cnncli[train]'"


def test_looking_for_packages_imports_none() -> None:
    code = (
        "import sys; from cnncli.training.extras import need_training; need_training();"
        "sys.exit(bool({'torch', 'numpy', 'PIL', 'safetensors'} & set(sys.modules)))"
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
