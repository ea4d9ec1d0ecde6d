"""What torchvision's networks compute with weights by a formula, for ``tests/specs/test_torchvision.py``.

Usage, in the environment of ``requirements.txt``::

    python -m benchmarks.peers.torchvision_outputs

It writes ``tests/data/torchvision_outputs.json``: for each network every fiftieth score of two pictures. Of
GoogLeNet these are the scores with ``transform_input``, as with published weights, and those of all three
heads in training, without dropout.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

import torch
import torchvision
from torch import Tensor, nn

from benchmarks.peers._formula import images, weights

_DATA: Final = Path(__file__).resolve().parents[2] / "tests" / "data"
_STEP: Final = 50
_GOOGLENET: Final = "googlenet"
_SETTINGS: Final[dict[str, dict[str, Any]]] = {
    _GOOGLENET: {"transform_input": True, "aux_logits": True, "init_weights": False}
}


def main() -> None:
    """Compute and write all of them."""
    names = json.loads((_DATA / "torchvision_models.json").read_text("utf-8"))["models"]
    versions = [f"{each.__name__} {each.__version__.partition('+')[0]}" for each in (torchvision, torch)]
    scores = {name: _scores(name) for name in names}
    text = json.dumps({"source": ", ".join(versions), "step": _STEP, "scores": scores}, indent=1)
    (_DATA / "torchvision_outputs.json").write_text(_rows_in_a_line(text) + "\n", "utf-8")


def _scores(name: str) -> dict[str, list[list[float]]]:
    network = torchvision.models.get_model(name, weights=None, **_SETTINGS.get(name, {}))
    network.load_state_dict(weights({key: tuple(each.shape) for key, each in network.state_dict().items()}))
    with torch.no_grad():
        found = {"inference": _some(network.eval()(images()))}
        if name == _GOOGLENET:
            for module in network.modules():
                if isinstance(module, nn.Dropout):
                    module.p = 0.0
            # In double precision, since normalizing a few values enlarges what was rounded.
            heads = network.double().train()(images().double())
            found |= {
                "scores": _some(heads.logits),
                "aux1": _some(heads.aux_logits1),
                "aux2": _some(heads.aux_logits2),
            }
    return found


def _some(scores: Tensor) -> list[list[float]]:
    return [[float(f"{value:.7g}") for value in row] for row in scores[:, ::_STEP].tolist()]


def _rows_in_a_line(text: str) -> str:
    """Return JSON with the numbers of each picture in one line."""
    return re.sub(r"\[\s+([-\d][^\[\]]*?)\s+\]", lambda found: f"[{' '.join(found[1].split())}]", text)


if __name__ == "__main__":
    main()
