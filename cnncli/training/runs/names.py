"""The names of the files of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Final

DEFAULT_PARENT: Final = Path("runs")

RECORD: Final = "run.json"
SPEC: Final = "spec.yaml"
METRICS: Final = "metrics.jsonl"
WEIGHTS: Final = "weights.safetensors"
BEST_WEIGHTS: Final = "best.safetensors"
CHECKPOINT: Final = "checkpoint.safetensors"
PREVIOUS: Final = "previous.safetensors"
TABLE: Final = "metrics.csv"
CURVES: Final = "curves.svg"
EVENTS: Final = "events.out.tfevents"
CONFUSION: Final = "confusion.svg"
WORST: Final = "worst.png"
FILES: Final = (
    *(RECORD, SPEC, METRICS, WEIGHTS, BEST_WEIGHTS, CHECKPOINT, PREVIOUS),
    *(TABLE, CURVES, EVENTS, CONFUSION, WORST),
)
