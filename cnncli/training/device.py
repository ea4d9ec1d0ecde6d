"""Which device to train on."""

from __future__ import annotations

import torch

from cnncli.diagnostics import did_you_mean, usage_error

_WORDS = ("auto", "cpu", "cuda", "mps")


def choose_device(word: str) -> torch.device:
    """The device that ``word`` names; "auto" takes CUDA, else Apple's MPS, else the CPU.

    Raises:
        UsageError: for a word that names no device, or a device that is not there.
    """
    if word == "auto":
        return torch.device(_best())
    kind, colon, number = word.partition(":")
    if kind not in _WORDS or kind == "auto" or (colon and not number.isdecimal()):
        raise usage_error(
            f"there is no device '{word}'",
            expected="auto, cpu, cuda, cuda:N or mps",
            received=word,
            hint=did_you_mean(kind, _WORDS),
        )
    count = _count(kind)
    if int(number or 0) >= count:
        raise usage_error(
            f"this machine has no {word} that torch {torch.__version__} can use",
            expected=f"{kind}:0 to {kind}:{count - 1}" if count > 1 else f"--device {_best()}",
            received=word,
            hint="--device auto takes the best that there is",
        )
    return torch.device(word)


def _best() -> str:
    return next(kind for kind in ("cuda", "mps", "cpu") if _count(kind) > 0)


def _count(kind: str) -> int:
    if kind == "cuda":
        return torch.cuda.device_count() if torch.cuda.is_available() else 0
    if kind == "mps":
        return int(torch.backends.mps.is_available())
    return 1
