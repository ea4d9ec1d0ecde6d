"""Other layers that torch lacks."""

from __future__ import annotations

from typing import Final

SCALED_TANH: Final = '''
class ScaledTanh(nn.Module):
    """1.7159 tanh(2x/3) (LeCun et al., 1998)."""

    def forward(self, x: Tensor) -> Tensor:
        return 1.7159 * torch.tanh(x * (2 / 3))
'''

CHANNEL_NORM: Final = '''
class ChannelNorm(nn.LayerNorm):
    """Layer normalization over the channels of each position."""

    def __init__(
        self, channels: int, *, eps: float = 1e-5, elementwise_affine: bool = True
    ) -> None:
        super().__init__(channels, eps, elementwise_affine)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)
'''

SAMPLE_NORM: Final = '''
class SampleNorm(nn.Module):
    """Layer normalization over all values of a sample."""

    def __init__(self, *, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return functional.layer_norm(x, x.shape[1:], eps=self.eps)
'''

DISTANCES: Final = '''
class DigitDistances(nn.Module):
    """Squared distances from pictures of digits, +1 for ink (LeCun et al., 1998)."""

    prototypes: Tensor
    pictures = """
{pictures}
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        rows = [line.split() for line in self.pictures.strip().splitlines()]
        ink = [[dot == "#" for row in rows for dot in row[k]] for k in range(classes)]
        self.register_buffer("prototypes", torch.tensor(ink) * 2.0 - 1.0)

    def forward(self, x: Tensor) -> Tensor:
        return (x.unsqueeze(1) - self.prototypes).square().sum(2)
'''

SQUASH: Final = '''
def safe_root(square: Tensor) -> Tensor:
    """Return the square root, with a derivative at 0 that is finite."""
    small = square.dtype if square.dtype != torch.bfloat16 else torch.float32
    return (square + torch.finfo(small).tiny).sqrt()


def squash(s: Tensor) -> Tensor:
    """Return |s|^2 / (1 + |s|^2) s / |s| along the last axis (Sabour et al., 2017)."""
    square = s.square().sum(-1, keepdim=True)
    return s * (square / (1 + square) / safe_root(square))


def capsule_lengths(x: Tensor) -> Tensor:
    """Return the length of every channel over its positions."""
    return safe_root(x.flatten(2).square().sum(-1))
'''

CAPSULES: Final = '''
class Capsules(nn.Module):
    """Capsules with routing by agreement (Sabour, Frosst and Hinton, 2017)."""

    def __init__(
        self, inputs: int, count: int, size: int, *, reads: int, routings: int
    ) -> None:
        super().__init__()
        self.reads, self.routings = reads, routings
        self.weight = nn.Parameter(torch.empty(inputs, count, size, reads))
        # Output capsules then have a length of about 1/5 at first.
        bound = count / (8 * size * inputs / 3) ** 0.5
        nn.init.uniform_(self.weight, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        capsules = x.reshape(len(x), -1, self.reads, *x.shape[2:])
        u = capsules.movedim(2, -1).flatten(1, -2)
        predicted = torch.einsum("icsr,nir->incs", self.weight, squash(u))
        logits = predicted.new_zeros(predicted.shape[:-1])
        v = self.agreed(predicted, logits)
        for _ in range(self.routings - 1):
            logits = logits + (predicted * v).sum(-1)
            v = self.agreed(predicted, logits)
        return v

    def agreed(self, predicted: Tensor, logits: Tensor) -> Tensor:
        """Return the sum of predictions, weighted by the softmax of the logits."""
        return squash((logits.softmax(-1).unsqueeze(-1) * predicted).sum(0))
'''

CAPSULE_LENGTHS: Final = '''
class CapsuleLengths(nn.Module):
    """The length of each capsule."""

    def forward(self, x: Tensor) -> Tensor:
        return capsule_lengths(x)
'''

LONGEST: Final = '''
class LongestCapsule(nn.Module):
    """The longest capsule, with zeros for the others."""

    def forward(self, x: Tensor) -> Tensor:
        longest = capsule_lengths(x).argmax(1)
        chosen = functional.one_hot(longest, x.shape[1]).to(x.dtype)
        return x * chosen.view([*x.shape[:2]] + [1] * (x.dim() - 2))
'''

DROP_PATH: Final = '''
class DropPath(nn.Module):
    """Sets whole samples to 0 in training, and scales the others up."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        kept = x.new_ones([x.shape[0]] + [1] * (x.dim() - 1))
        return x * functional.dropout(kept, self.p)
'''

NOISE: Final = '''
class GaussianNoise(nn.Module):
    """Adds noise in training."""

    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.sigma = sigma

    def forward(self, x: Tensor) -> Tensor:
        return x + self.sigma * torch.randn_like(x) if self.training else x
'''

RESHAPE: Final = '''
class Reshape(nn.Module):
    """Reshapes each sample."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], *self.shape)
'''

SHUFFLE: Final = '''
class ChannelShuffle(nn.Module):
    """The first channel of every group, then the second of every group, and so on."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        grouped = x.reshape(len(x), self.groups, -1, *x.shape[2:])
        return grouped.transpose(1, 2).flatten(1, 2)
'''
