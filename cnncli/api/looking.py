"""What a trained network computes of images: features, neighbors, and pictures of what is inside."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnncli import arguments
from cnncli.api.run_folders import check_weights
from cnncli.architecture import need_training
from cnncli.recipe.devices import AUTO

if TYPE_CHECKING:
    from cnncli.results.looking import Features, Looked, Similar
    from cnncli.results.training import Reading


def features(
    run: str | Path,
    data: str | Path | Iterable[str | Path],
    output: str | Path,
    *,
    split: str | None = None,
    layer: str | None = None,
    pool: str | None = None,
    weights: str | None = None,
    device: Any = AUTO,
    reading: Reading = None,
) -> Features:
    """Write what a layer of the network of a run computes of images, as float32 vectors in their order.

    Images are prepared as for :func:`~evaluate`, and computed a batch at a time: memory does not
    grow with their number, but with the bytes of a source that is not mapped (``packed:DIR`` is).

    Args:
        run: the folder of the run.
        data: a source such as "digits", or image files, folders and patterns.
        output: a file that does not exist yet: ``.npz``, or ``.parquet`` with the extra ``[parquet]``.
        split: the part of a source, "train", "val" or "test"; by default what ``evaluate`` measures.
        layer: the name of a layer; by default the last hidden one.
        pool: "mean" or "max" over the positions of maps; by default all of their values.
        weights: those of the "best" epoch or the "last" ones, by default as ``evaluate``.
        device: "auto", a device such as "cpu" (:mod:`cnncli.recipe.devices`), or a ``torch.device``.
        reading: called with (images read, of how many).

    Raises:
        CnncliError: there is no such run, layer or image, or the file exists or cannot be written.
    """
    check_weights(weights)
    need_training()
    from cnncli.training.looking.features import Wanted, write_features  # noqa: PLC0415

    words, path = arguments.words("data", data), arguments.path("output", output)
    wanted = Wanted(words, path, split, layer, pool, weights)
    return write_features(arguments.path("run", run), wanted, arguments.device(device, AUTO), reading)


def similar(
    run: str | Path,
    images: str | Path | Iterable[str | Path],
    among: str | Path | Iterable[str | Path],
    *,
    split: str | None = None,
    layer: str | None = None,
    pool: str | None = None,
    neighbors: int = 6,
    weights: str | None = None,
    output: str | Path | None = None,
    device: Any = AUTO,
    reading: Reading = None,
) -> Similar:
    """Find the images that are nearest to some, by the Euclidean distance of what a layer computes of them.

    The search is exact; of equal distances the image with the lower number comes first.

    Args:
        run: the folder of the run.
        images: image files, folders and patterns, or "test:17" for an image of the run's own data.
        among: a source such as "digits", image files, or a file that :func:`features` wrote of this run.
        split: the part of a source; by default its training images.
        layer: the name of a layer; by default the last hidden one, or that of the file.
        pool: "mean" or "max" over the positions of maps; by default all of their values.
        neighbors: how many are found of each image.
        weights: those of the "best" epoch or the "last" ones, by default as ``evaluate``.
        output: a ``.png`` or ``.svg`` file that does not exist yet, for a picture of them.
        device: as in :func:`features`.
        reading: called with (images read, of how many).

    Raises:
        CnncliError: there is no such run, layer or image, the file is of other weights or of another layer,
            or the picture exists or cannot be written.
    """
    check_weights(weights)
    need_training()
    from cnncli.training.looking.similar import Asked, find_similar  # noqa: PLC0415

    words, where = arguments.words("images", images), arguments.words("among", among)
    path = None if output is None else arguments.path("output", output)
    asked = Asked(words, where, split, layer, pool, weights, neighbors, path)
    return find_similar(arguments.path("run", run), asked, arguments.device(device, AUTO), reading)


def look(
    what: str,
    run: str | Path,
    output: str | Path,
    images: str | Path | Iterable[str | Path] = (),
    *,
    data: str | Path | Iterable[str | Path] = (),
    split: str | None = None,
    layer: str | None = None,
    channels: Iterable[int] = (),
    target: str | None = None,
    head: str | None = None,
    window: int | None = None,
    stride: int | None = None,
    weights: str | None = None,
    device: Any = AUTO,
    reading: Reading = None,
) -> Looked:
    """Draw what is inside of the network of a run; ``values`` of the result are the numbers, as tensors.

    Args:
        what: "filters", "maps", "patches", "occlusion", "gradcam" or "gradient".
        run: the folder of the run.
        output: a ``.png`` or ``.svg`` file that does not exist yet.
        images: for all but "filters" and "patches": files, or "test:17" for an image of the run's own data.
        data: where patches are searched; by default the run's own data.
        split: the part of it; by default its training images.
        layer: the name of a layer; the default depends on ``what``.
        channels: those whose patches are shown, by default the most excited ones.
        target: a class, tag or number of the head; by default the most probable one of each image.
        head: the head that is asked; by default the first one.
        window: the side of what is hidden, in pixels; by default what a position of the layer sees.
        stride: the distance to the next window, in pixels; by default half of the window.
        weights: those of the "best" epoch or the "last" ones, by default as ``evaluate``.
        device: as in :func:`features`.
        reading: called with (images read, of how many).

    Raises:
        CnncliError: there is no such run, layer, image or class, an argument has no effect, or the file
            exists or cannot be written.
    """
    check_weights(weights)
    need_training()
    from cnncli.training.looking.asked import Asked  # noqa: PLC0415
    from cnncli.training.looking.look import look_into  # noqa: PLC0415

    asked = Asked(
        what=arguments.text("what", what),
        output=arguments.path("output", output),
        images=arguments.words("images", images),
        data=arguments.words("data", data),
        split=split,
        layer=layer,
        channels=tuple(channels),
        target=target,
        head=head,
        window=window,
        stride=stride,
        weights=weights,
    )
    return look_into(arguments.path("run", run), asked, arguments.device(device, AUTO), reading)
