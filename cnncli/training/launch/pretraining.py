"""Beginning a layer-wise pretraining: everything is checked before its folder is created."""

from __future__ import annotations

from cnncli.graph import Opened
from cnncli.graph.machines import machines_of
from cnncli.results.training import Reading
from cnncli.training.device import choose_device
from cnncli.training.launch.starting import read
from cnncli.training.procedures.pretraining import Prepared


def prepare_pretraining(opened: Opened, device: str, reading: Reading = None) -> Prepared:
    """Find the layers to learn, and read the training images.

    Raises:
        CnncliError: the first layers are not restricted Boltzmann machines, or the data does not match.
    """
    machines = machines_of(opened.graph)
    where = choose_device(device)
    dataset = read(opened.graph, opened.train, opened.train.data, reading, opened.train.holdout)
    return Prepared(opened.graph, machines, opened.pretrain, opened.train, dataset, where)
