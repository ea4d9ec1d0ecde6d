"""Pooling."""

from __future__ import annotations

from typing import Final

SLIDING: Final = '''
class SlidingPool(nn.Module):
    """Pooling whose input is first padded so that its last window ends where it does."""

    def __init__(
        self, kernel: Sequence[int], *, stride: Sequence[int], frames: Pads
    ) -> None:
        super().__init__()
        self.kernel, self.stride, self.frames = list(kernel), list(stride), frames

    def starts(self, x: Tensor, axis: int) -> Tensor:
        """Return where windows begin along an axis of x; pads are below 0."""
        n, frames = x.shape[2 + axis], self.frames[axis]
        before, after = frames[n % len(frames)]
        last = n + after - self.kernel[axis]
        return torch.arange(-before, last + 1, self.stride[axis], device=x.device)
'''

MAX_POOL: Final = """
def max_pool(
    x: Tensor, kernel: list[int], stride: list[int], dilation: list[int]
) -> Tensor:
    pools = (functional.max_pool1d, functional.max_pool2d, functional.max_pool3d)
    y: Tensor = pools[len(kernel) - 1](x, kernel, stride, dilation=dilation)
    return y
"""

AVG_POOL: Final = """
def avg_pool(x: Tensor, kernel: list[int], stride: list[int]) -> Tensor:
    pools = (functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d)
    y: Tensor = pools[len(kernel) - 1](x, kernel, stride)
    return y
"""

PADDED_MAX_POOL: Final = '''
class PaddedMaxPool(SlidingPool):
    """The largest value of each window; padding is never picked."""

    def __init__(
        self,
        kernel: Sequence[int],
        *,
        stride: Sequence[int],
        frames: Pads,
        dilation: Sequence[int],
    ) -> None:
        super().__init__(kernel, stride=stride, frames=frames)
        self.dilation = list(dilation)

    def forward(self, x: Tensor) -> Tensor:
        x = pad(x, self.frames, "constant", -torch.inf)
        return max_pool(x, self.kernel, self.stride, self.dilation)
'''

MIN_POOL: Final = '''
class MinPool(SlidingPool):
    """The smallest value of each window; padding is never picked."""

    def forward(self, x: Tensor) -> Tensor:
        x = pad(-x, self.frames, "constant", -torch.inf)
        return -max_pool(x, self.kernel, self.stride, [1] * len(self.kernel))
'''

MEDIAN_POOL: Final = '''
class MedianPool(SlidingPool):
    """The middle value of each window, or the mean of two; padding does not count."""

    def forward(self, x: Tensor) -> Tensor:
        windows = pad(x, self.frames, "constant", torch.inf)
        rank = len(self.kernel)
        count = torch.ones((), dtype=torch.long, device=x.device)
        for axis, size in enumerate(self.kernel):
            windows = windows.unfold(2 + axis, size, self.stride[axis])
            starts = self.starts(x, axis)
            inside = (starts + size).clamp(max=x.shape[2 + axis]) - starts.clamp(min=0)
            count = count * inside.view([-1] + [1] * (rank - 1 - axis))
        ordered = windows.flatten(2 + rank).sort(-1).values
        shape = ordered.shape[:-1]
        low = ordered.gather(-1, ((count - 1) // 2).expand(shape).unsqueeze(-1))
        high = ordered.gather(-1, (count // 2).expand(shape).unsqueeze(-1))
        return ((low + high) / 2).squeeze(-1)
'''

PADDED_AVG_POOL: Final = '''
class PaddedAvgPool(SlidingPool):
    """The mean over the positions of each window that count."""

    def __init__(
        self,
        kernel: Sequence[int],
        *,
        stride: Sequence[int],
        frames: Pads,
        counted: Pads,
    ) -> None:
        super().__init__(kernel, stride=stride, frames=frames)
        self.counted = counted

    def forward(self, x: Tensor) -> Tensor:
        y = avg_pool(pad(x, self.frames), self.kernel, self.stride)
        for axis, size in enumerate(self.kernel):
            n, starts = x.shape[2 + axis], self.starts(x, axis)
            before, after = self.counted[axis][n % len(self.counted[axis])]
            count = (starts + size).clamp(max=n + after) - starts.clamp(min=-before)
            scale = (size / count).to(y.dtype)
            y = y * scale.view([-1] + [1] * (len(self.kernel) - 1 - axis))
        return y
'''

SUBSAMPLE: Final = '''
class Subsample(nn.Module):
    """The sum of each window, times a coefficient and plus a bias for each channel."""

    def __init__(
        self, channels: int, kernel: Sequence[int], *, stride: Sequence[int]
    ) -> None:
        super().__init__()
        self.kernel, self.stride, self.area = list(kernel), list(stride), prod(kernel)
        self.weight = nn.Parameter(torch.full((channels,), 1 / self.area))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        sums = self.area * avg_pool(x, self.kernel, self.stride)
        shape = [-1] + [1] * len(self.kernel)
        return sums * self.weight.view(shape) + self.bias.view(shape)
'''

GLOBAL: Final = '''
class Global{name}Pool(nn.Module):
    """The {what} of each channel over all positions."""

    def __init__(self, *, keepdim: bool = False) -> None:
        super().__init__()
        self.keepdim = keepdim

    def forward(self, x: Tensor) -> Tensor:
        return x.{function}(tuple(range(2, x.dim())), keepdim=self.keepdim)
'''
