"""Compare a run that restores images with what needs no network: the input itself, blurred, or enlarged.

    python benchmarks/restoration.py RUN

All are measured on the held-out images of the run, corrupted as in its evaluations: PSNR in dB and SSIM,
means over images of values from 0 to 1. Images that were shrunk are enlarged bicubically (torch); others are
blurred with the Gaussian whose deviation gives the best mean PSNR on these very images, an advantage over the
network.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

import cnncli
from cnncli.recipe.columns import INPUT, PICTURE, Column
from cnncli.training.data.feed import Feed
from cnncli.training.data.load import load_held_out
from cnncli.training.data.recorded import WHOLE_RANGE, Normalization
from cnncli.training.runs.run import open_run
from cnncli.training.tasks.meters import METERS
from cnncli.training.transforms import held_out_alters

DEVIATIONS = [number / 10 for number in range(3, 16)]
PLAIN = Normalization((0.0,), (1.0,))


def corrupted(folder: Path) -> tuple[Tensor, Tensor]:
    """Return what the network of a run sees of its held-out images, not normalized, and the clean images."""
    record = open_run(folder).record
    levels = record.data.levels or WHOLE_RANGE
    split = load_held_out(record.settings.data.of(record.data.source), record.data.input, None, levels).split
    feed = Feed(split, {INPUT: Column(PICTURE)}, PLAIN, torch.device("cpu"), keep=True)
    batches = list(feed.in_order([(0, len(feed))], held_out_alters(record.settings, len(feed))))
    return batches[0].inputs, batches[0].targets[INPUT]


def measured(images: Tensor, clean: Tensor) -> dict[str, float]:
    """Return the mean PSNR and SSIM of images."""
    images = images.clamp(0, 1)
    return {name: float(METERS[name].per_sample(images, clean).double().mean()) for name in ("psnr", "ssim")}


def blurred(images: Tensor, deviation: float) -> Tensor:
    """Return images convolved with a Gaussian; edges are continued."""
    reach = max(1, round(3 * deviation))
    line = torch.exp(-(torch.arange(-reach, reach + 1.0) ** 2) / (2 * deviation**2))
    line = (line / line.sum()).reshape(1, 1, 1, -1).expand(images.shape[1], 1, 1, -1)
    for axes, kernel in (((reach, reach, 0, 0), line), ((0, 0, reach, reach), line.transpose(2, 3))):
        padded = functional.pad(images, axes, mode="replicate")
        images = functional.conv2d(padded, kernel, groups=images.shape[1])
    return images


def baselines(inputs: Tensor, clean: Tensor) -> dict[str, dict[str, float]]:
    """Return the figures of what needs no network."""
    size = clean.shape[2:]
    if inputs.shape[2:] != size:
        enlarged = {mode: functional.interpolate(inputs, size, mode=mode) for mode in ("nearest", "bicubic")}
        return {name: measured(images, clean) for name, images in enlarged.items()}
    of_each = {each: measured(blurred(inputs, each), clean) for each in DEVIATIONS}
    best = max(of_each, key=lambda each: of_each[each]["psnr"])
    return {"input": measured(inputs, clean), f"Gaussian blur of {best}": of_each[best]}


def main() -> None:
    """Measure and print a table in Markdown."""
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=Path)
    folder = parser.parse_args().run
    found = cnncli.evaluate(folder, device="cpu").figures
    print("| held-out images | PSNR | SSIM |\n| --- | ---: | ---: |")
    for name, figures in {**baselines(*corrupted(folder)), "network": found}.items():
        print(f"| {name} | {figures['psnr']:.2f} dB | {figures['ssim']:.4f} |")


if __name__ == "__main__":
    main()
