"""An evaluation against the forward passes that it consists of.

    python benchmarks/evaluate.py [--rounds N] [--images N]

Images of random bytes are in memory. The passes are those of the same network, without gradients, on batches
of the same size that are normalized already, and on larger ones; nothing is done with what they return. The
evaluation also normalizes, and adds up loss, accuracy, top-5 and confusions, as after every epoch (and with
all that ``cnncli evaluate`` measures: detailed). All of it in one process, in an order that changes every
round.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch

import cnncli
from cnncli.algebra import whole_shape
from cnncli.graph.heads import heads_of
from cnncli.recipe.recipe import Recipe
from cnncli.training.data.dataset import labeled, of_classes
from cnncli.training.data.feed import Feed
from cnncli.training.data.recorded import Normalization
from cnncli.training.evaluate import Manner, evaluate_feed, evaluation_bounds
from cnncli.training.tasks.building import Learned, measuring_objective

CLASSES = 10
NETWORKS = {"LeNet-5": "lenet5", "ResNet-20": "resnet20"}
CPU = torch.device("cpu")
_LARGE = 1024


def ways(spec: str, count: int) -> dict[str, Callable[[], object]]:
    """Return what is compared, on a number of images."""
    arch = cnncli.load(spec)
    shape = whole_shape(arch.graph.input)
    network = arch.module().eval()
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, *shape), generator=generator, dtype=torch.uint8)
    labels = torch.randint(0, CLASSES, (count,), generator=generator)
    columns = of_classes([str(number) for number in range(CLASSES)])
    objective = measuring_objective(heads_of(arch.graph), Recipe(), Learned(columns, shape))
    normalization = Normalization((0.5,) * shape[0], (0.25,) * shape[0])
    feed = Feed(labeled(pixels, labels), objective.columns, normalization, CPU, keep=True)
    bounds = evaluation_bounds(count, pixels[0].numel(), CPU)
    batches = [batch.inputs.clone() for batch in feed.in_order(bounds)]
    whole = torch.cat(batches)

    def passes() -> None:
        with torch.inference_mode():
            for inputs in batches:
                network(inputs)

    def large() -> None:
        with torch.inference_mode():
            for inputs in whole.split(_LARGE):
                network(inputs)

    return {
        "forward passes": passes,
        "passes of 1,024": large,
        "evaluation": lambda: evaluate_feed(network, feed, objective, CPU),
        "detailed": lambda: evaluate_feed(network, feed, objective, CPU, manner=Manner(detailed=True)),
    }


def main() -> None:
    """Print the times and their ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=2000)
    options = parser.parse_args()
    print(f"{options.images:,} images, {torch.get_num_threads()} threads")
    for name, spec in NETWORKS.items():
        compared = ways(spec, options.images)
        found: dict[str, list[float]] = {way: [] for way in compared}
        for turn in range(options.rounds + 1):
            for way in sorted(compared, reverse=turn % 2 == 1):
                begun = time.perf_counter()
                compared[way]()
                if turn:  # the first round fills the caches
                    found[way].append(time.perf_counter() - begun)
        for way, times in found.items():
            pairs = zip(times, found["forward passes"], strict=True)
            ratio = statistics.median(ours / bare for ours, bare in pairs)
            print(f"{name:<10} {way:<15} {1000 * statistics.median(times):8.1f} ms  {ratio:5.2f}")


if __name__ == "__main__":
    main()
