"""A small training with everything switched on that has a state, or draws something."""

from __future__ import annotations

from typing import Final

SPEC: Final = """
name: everything
input: [3, 8, 8]
layers:
  - conv: {channels: 4, kernel: 3, norm: batch, activation: relu}
  - dropout2d: 0.1
  - flatten
  - dropout: 0.3
  - linear: 10
train:
  data: {source: digits, limit: 0.08, holdout: 0.1}
  epochs: 3
  batch: 24
  transforms: [flip, crop: 1, resizedcrop, rotate, scale, translate, shear, erase, brightness, contrast,
    saturation, hue, grey, blur, noise, trivialaugment, randaugment, mixup, cutmix]
  corrupt: [noise]
  tasks: {output: {cross_entropy: {smoothing: 0.1, weights: balanced}}}
  optimizer: {adamw: {lr: 0.01}}
  schedule: {plateau: {patience: 1, factor: 0.5, warmup: 0.5}}
  accumulate: 3
  clip: {norm: 1}
  average: ema
  penalty: {l1: 1e-5}
  stop: 20
"""
"""With the fused kernel of AdamW, where torch has it: 4 steps in an epoch."""

MEAN: Final = SPEC.replace("average: ema", "average: {swa: 0.3}")
"""With a mean of weights, for which the statistics of batch normalization are computed anew."""

GROWING: Final = (
    SPEC.replace("flatten", "globalavgpool")
    .replace("epochs: 3", "flops: 8M\n  resolution: {from: 4, to: 8}\n  recompute: [conv1]")
    .replace("schedule: {plateau: {patience: 1, factor: 0.5, warmup: 0.5}}", "schedule: cosine")
)
"""With images that grow, a length in FLOPs, and a convolution that the backward pass computes again."""
