"""What ``pretrain:`` of a spec may say: how layers are learned one by one, without labels."""

from __future__ import annotations

from typing import Final

from cnncli.language.fields import Record, arg
from cnncli.language.readers import Choice, Number, Whole

BINARY: Final = "binary"
GAUSSIAN: Final = "gaussian"


class Pretraining(Record):
    """Learn each layer as a restricted Boltzmann machine, by contrastive divergence.

    G. Hinton, S. Osindero, Y. Teh, "A fast learning algorithm for deep belief nets", 2006. Images
    and seed are those of ``train``.
    """

    keyword = "pretrain"
    member = "setting"

    epochs: int = arg(Whole(1), "passes over the training images, for each layer", default=10)
    batch: int = arg(Whole(1), "images of a step", default=20)
    k: int = arg(Whole(1, 1000), "Gibbs steps from the images to the reconstruction: CD-k", default=1)
    lr: float = arg(Number(0, 1000, above=True), "the learning rate", default=0.05)
    momentum: float = arg(Number(0, 0.999999), "share of the last step in the next one", default=0.5)
    weight_decay: float = arg(Number(0, 1000), "how fast weights, not biases, decay", default=2e-4)
    visible: str = arg(
        Choice(BINARY, GAUSSIAN),
        "units of the first layer: binary, for values from 0 to 1 as probabilities, or gaussian of "
        "variance 1, for normalized values",
        default=BINARY,
    )
