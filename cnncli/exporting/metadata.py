"""What a file says of itself: its spec, the sizes it accepts, the names of classes, the file of weights."""

from __future__ import annotations

import json
from typing import Any

from cnncli import __version__
from cnncli.exporting.accepted import Accepted
from cnncli.exporting.subject import Subject


def described(subject: Subject, found: Accepted) -> dict[str, str]:
    """Return texts by their keys; what is not a text is JSON.

    ``sizes`` has, for each axis that may vary, the n >= first with n = residue (mod period) for each pair
    (residue, first) of ``tails``, and the sizes in ``isolated``. ``images`` is how a run makes inputs
    of images, ``names`` has those of classes by head.
    """
    sizes: dict[str, Any] = {
        name: {"period": each.period, "tails": each.tails, "isolated": each.isolated}
        for name, each in found.sizes.items()
    }
    texts = {
        "version": __version__,
        "spec": subject.spec,
        "input": json.dumps(subject.graph.input, allow_nan=False),
        "sizes": json.dumps(sizes, allow_nan=False),
        "weights_sha256": subject.origin.sha256,
    }
    if subject.images is not None:
        texts["images"] = json.dumps(subject.images._asdict(), allow_nan=False)
    if subject.names:
        texts["names"] = json.dumps(dict(subject.names), ensure_ascii=False, allow_nan=False)
    return texts
