"""The weights alone as a safetensors file, which ``train --from`` reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from safetensors.numpy import save

from cnncli.exporting.accepted import accepted
from cnncli.exporting.metadata import described
from cnncli.exporting.subject import Subject
from cnncli.results.export import Exported
from cnncli.training.exporting.settings import Settings
from cnncli.training.new_files import write_new

KEY: Final = "cnncli.export"
"""The key in the header; one with a JSON text, since several have no fixed order."""


def write(subject: Subject, path: Path, settings: Settings) -> Exported:
    """Write all tensors of a network, and in the header the spec, the accepted sizes and where they are from.

    Raises:
        CnncliError: the file cannot be written.
    """
    found = accepted(subject.graph, subject.spec)
    content = save(
        dict(subject.tensors), {KEY: json.dumps(described(subject, found), sort_keys=True, allow_nan=False)}
    )
    write_new(path, content)
    return Exported(
        subject.name, "safetensors", path, len(content), subject.origin, len(subject.tensors), found.sizes
    )
