"""How a network is computed on a device; ``training/computing.py`` carries it out."""

from __future__ import annotations

from typing import Final

from cnncli.recipe.devices import AUTO

FLOAT32: Final = "float32"
BF16: Final = "bf16"
FP16: Final = "fp16"
PRECISIONS: Final = (AUTO, FLOAT32, BF16, FP16)

CONTIGUOUS: Final = "contiguous"
CHANNELS_LAST: Final = "channels_last"
MEMORY_FORMATS: Final = (AUTO, CONTIGUOUS, CHANNELS_LAST)

UNCOMPILED: Final = "none"
BLOCKS: Final = "blocks"
WHOLE: Final = "whole"
COMPILATIONS: Final = (UNCOMPILED, BLOCKS, WHOLE)
"""What torch.compile compiles: nothing, equal blocks once, or the network as one function."""
