"""Names in Python for those of a spec."""

from __future__ import annotations

import keyword
import re
from typing import Final

RESERVED: Final = frozenset(
    {"x", "y", "z", "self", "nn", "torch", "functional", "math", "json", "prod", "Path", "Tensor"}
)
"""Names that no value of a ``forward`` may have."""


def class_name(name: str) -> str:
    """Return the name of a class.

    >>> class_name("googlenet_torchvision"), class_name("2x"), class_name("dense-block")
    ('GooglenetTorchvision', 'N2x', 'DenseBlock')
    """
    words = re.findall(r"[A-Za-z0-9]+", name)
    joined = "".join(word[0].upper() + word[1:] for word in words)
    return f"N{joined}" if not joined or joined[0].isdigit() else joined


def identifier(name: str) -> str:
    """Return a name that Python accepts, from the end of a dotted one.

    >>> identifier("down1.conv.0"), identifier("layer1.0.bn1"), identifier("a.lambda"), identifier("0")
    ('conv_0', 'bn1', 'lambda_', 'value_0')
    """
    parts = [re.sub(r"[^A-Za-z0-9_]", "_", part) for part in name.split(".")]
    while len(parts) > 1 and not parts[-1][0].isalpha():
        parts[-2:] = [f"{parts[-2]}_{parts[-1].lstrip('_')}"]
    found = parts[-1] if parts[-1][0].isalpha() else f"value_{parts[-1].lstrip('_')}"
    return f"{found}_" if keyword.iskeyword(found) or found in RESERVED else found
