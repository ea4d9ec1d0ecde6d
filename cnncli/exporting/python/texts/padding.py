"""Padding."""

from __future__ import annotations

from typing import Final

ALIASES: Final = """
Pads = Sequence[Sequence[tuple[int, int]]]
"""

PAD: Final = '''
def pad(x: Tensor, pads: Pads, mode: str = "zeros", value: float = 0.0) -> Tensor:
    """Pad each spatial axis before and after; negative amounts cut.

    Those for an axis of size n are entry n modulo their number.
    """
    amounts = [each[n % len(each)] for each, n in zip(pads, x.shape[2:])]
    if not any(before or after for before, after in amounts):
        return x
    if mode == "symmetric":
        for axis, (before, after) in enumerate(amounts, 2):
            first = x.narrow(axis, 0, before).flip(axis)
            last = x.narrow(axis, x.shape[axis] - after, after).flip(axis)
            x = torch.cat([first, x, last], axis)
        return x
    flat = [amount for pair in reversed(amounts) for amount in pair]
    if mode in ("zeros", "constant"):
        return functional.pad(x, flat, value=0.0 if mode == "zeros" else value)
    return functional.pad(x, flat, mode=mode)
'''

PAD_MODULE: Final = '''
class Pad(nn.Module):
    """Adds positions at the borders, or cuts them off."""

    def __init__(self, pads: Pads, *, mode: str = "zeros", value: float = 0.0) -> None:
        super().__init__()
        self.pads, self.mode, self.value = pads, mode, value

    def forward(self, x: Tensor) -> Tensor:
        return pad(x, self.pads, self.mode, self.value)
'''
