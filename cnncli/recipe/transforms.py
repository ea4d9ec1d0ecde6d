"""What happens to training images before they are normalized; ``training/transforms/`` has the formulas.

Values of an image are from 0 (black) to 1. Every sample has its own draws, uniform in the given range.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from cnncli.language.fields import Record, arg
from cnncli.language.readers import Choice, Number, Whole
from cnncli.limits import MAX_ALPHA, MAX_OPERATIONS, MAX_RATIO, MAX_SHRINKAGE, MAX_SIGMA, MAX_SIZE

_AXES_OF_PICTURES: Final = 3
_COLORS: Final = 3


class Transform(Record):
    """A change of every training image, with what is known of it without torch."""

    member = "setting"

    def lacks(self, shape: Sequence[object]) -> str:
        """Return what an input must be for this to have an effect; nothing if it has one on this input.

        Args:
            shape: of one sample, [channels, *spatial] or [features]; unknown sizes are not numbers.
        """
        del shape
        return ""

    def __str__(self) -> str:
        given = (f"{name} {_shown(getattr(self, name))}" for name in self.arguments)
        return f"{self.keyword} ({', '.join(given)})"


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


class Spatial(Transform):
    """A transform of pictures, which have a height and a width."""

    def lacks(self, shape: Sequence[object]) -> str:
        """Return that the input must be a picture, if it is not one."""
        return "" if len(shape) == _AXES_OF_PICTURES else "an input of channels, height and width"


class Colored(Spatial):
    """A transform of pictures in color."""

    def lacks(self, shape: Sequence[object]) -> str:
        """Return that the input must have the channels red, green and blue, if it does not."""
        of_pictures = super().lacks(shape)
        if of_pictures or not isinstance(shape[0], int) or shape[0] == _COLORS:
            return of_pictures
        return f"an input of {_COLORS} channels: red, green and blue"


def _probability(default: float) -> float:
    return arg(Number(0, 1, above=True), "probability for each sample", default=default)


def _fill() -> float:
    return arg(Number(0, 1), "value of what comes from outside of the image", default=0.0)


def _alpha(default: float) -> float:
    help_ = "of the distribution Beta(alpha, alpha) of shares: below 1 mostly near 0 and 1"
    return arg(Number(0, MAX_ALPHA, above=True), help_, default=default, main=True)


def _range() -> float:
    return arg(
        Number(0, 1, above=True),
        "largest distance of the factor from 1",
        default=0.2,
        main=True,
    )


class Flip(Spatial):
    """Mirror the image, without changing a value.

    A. Krizhevsky, I. Sutskever and G. Hinton, "ImageNet Classification with Deep Convolutional Neural
    Networks", 2012, section 4.1.
    """

    keyword = "flip"

    direction: str = arg(
        Choice("horizontal", "vertical"), "left to right, or top to bottom", default="horizontal", main=True
    )
    p: float = _probability(0.5)

    def lacks(self, shape: Sequence[object]) -> str:
        """Return that the input must have several pixels along the axis that is mirrored."""
        of_pictures = super().lacks(shape)
        axis, side = (2, "width") if self.direction == "horizontal" else (1, "height")
        return of_pictures or (f"an input of more than 1 pixel in {side}" if shape[axis] == 1 else "")


class Crop(Spatial):
    """Pad all sides, and cut out an image of the input's size, without changing a value.

    K. He et al., "Deep Residual Learning for Image Recognition", 2015, section 4.2.
    """

    keyword = "crop"

    padding: int = arg(Whole(0), "pixels added on each side: how far the image moves", default=4, main=True)
    fill: float = _fill()

    def lacks(self, shape: Sequence[object]) -> str:
        """Return that the input must be larger than the padding, or a crop could contain nothing else."""
        of_pictures = super().lacks(shape)
        least = min((size for size in shape[1:] if isinstance(size, int)), default=MAX_SIZE)
        if of_pictures or self.padding < least:
            return of_pictures
        return f"an input of more than {self.padding} pixels in height and width"


class Warp(Spatial):
    """A transform that reads between pixels, bilinearly; neighboring ones read the image once, together."""

    fill: float = _fill()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        # After the arguments of the transform itself, wherever they are listed.
        cls.arguments = {
            **{name: each for name, each in cls.arguments.items() if name != "fill"},
            **Warp.arguments,
        }


class ResizedCrop(Spatial):
    """Cut out a part of the image of a random size and shape, and scale it to the whole, bilinearly.

    C. Szegedy et al., "Going deeper with convolutions", 2015, section 6.
    """

    keyword = "resizedcrop"

    area: float = arg(Number(0, 1, above=True), "smallest share of the image", default=0.08, main=True)
    ratio: float = arg(
        Number(1, MAX_RATIO), "largest ratio of width to height, relative to the image", default=1.33
    )


class Rotate(Warp):
    """Turn the image around its center by a random angle, in both directions.

    P. Simard, D. Steinkraus and J. Platt, "Best Practices for Convolutional Neural Networks Applied to Visual
    Document Analysis", 2003, section 2.
    """

    keyword = "rotate"

    degrees: float = arg(Number(0, 180, above=True), "largest angle", default=15.0, main=True)


class Scale(Warp):
    """Enlarge or shrink the image around its center, by factors whose logarithm is uniform.

    D. Ciresan, U. Meier and J. Schmidhuber, "Multi-column Deep Neural Networks for Image Classification",
    2012, section 3.
    """

    keyword = "scale"

    factor: float = arg(
        Number(1, MAX_RATIO, above=True),
        "largest factor; the smallest is 1 / factor",
        default=1.25,
        main=True,
    )


class Translate(Warp):
    """Move the image by fractions of a pixel, along both axes.

    Y. LeCun et al., "Gradient-Based Learning Applied to Document Recognition", 1998, section III.B.
    """

    keyword = "translate"

    share: float = arg(
        Number(0, 1, above=True), "largest distance, as a share of height and width", default=0.1, main=True
    )


class Shear(Warp):
    """Slant the image along its rows or its columns, whichever is drawn.

    Y. LeCun et al., "Gradient-Based Learning Applied to Document Recognition", 1998, section III.B.
    """

    keyword = "shear"

    degrees: float = arg(Number(0, 60, above=True), "largest angle of the slant", default=10.0, main=True)


class Erase(Spatial):
    """Cover a rectangle around a random place, part of which may lie outside of the image.

    T. DeVries and G. Taylor, "Improved Regularization of Convolutional Neural Networks with Cutout", 2017.
    """

    keyword = "erase"

    size: float = arg(
        Number(0, 1, above=True),
        "sides, as a share of height and width",
        default=0.5,
        main=True,
    )
    fill: float = arg(Number(0, 1), "value that covers the image", default=0.0)


class Brightness(Transform):
    """Multiply all values by a factor around 1.

    A. Howard, "Some Improvements on Deep Convolutional Neural Network Based Image Classification", 2013.
    """

    keyword = "brightness"

    by: float = _range()


class Contrast(Transform):
    """Multiply the distances of all values to the mean gray of the image by a factor around 1.

    A. Howard, "Some Improvements on Deep Convolutional Neural Network Based Image Classification", 2013.
    """

    keyword = "contrast"

    by: float = _range()


class Saturation(Colored):
    """Multiply the distances of all colors to their gray by a factor around 1.

    A. Howard, "Some Improvements on Deep Convolutional Neural Network Based Image Classification", 2013.
    """

    keyword = "saturation"

    by: float = _range()


class Hue(Colored):
    """Turn all colors around the circle of hues.

    A. Dosovitskiy et al., "Discriminative Unsupervised Feature Learning with Convolutional Neural Networks",
    2014, section 2.1.
    """

    keyword = "hue"

    turn: float = arg(
        Number(0, 0.5, above=True),
        "largest turn, of 1 for a whole circle",
        default=0.05,
        main=True,
    )


class Grey(Colored):
    """Replace colors by their gray.

    T. Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations", 2020, appendix A.
    """

    keyword = "grey"

    p: float = arg(Number(0, 1, above=True), "probability for each sample", default=0.2, main=True)


class Blur(Spatial):
    """Smooth the image with a Gaussian of a random width.

    T. Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations", 2020, appendix A.
    """

    keyword = "blur"

    sigma: float = arg(
        Number(0, MAX_SIGMA, above=True), "largest standard deviation, in pixels", default=1.0, main=True
    )


class Noise(Transform):
    """Add to every value a number of its own from a normal distribution.

    C. Bishop, "Training with Noise is Equivalent to Tikhonov Regularization", 1995.
    """

    keyword = "noise"

    std: float = arg(Number(0, 1, above=True), "standard deviation of the numbers", default=0.05, main=True)


class Mix(Transform):
    """A transform that mixes every sample with the next one in its batch; it comes after all others."""

    alpha: float = _alpha(1.0)
    p: float = _probability(1.0)


class Mixup(Mix):
    """Blend each image with the next one in the batch, and the loss of its targets in the same shares.

    H. Zhang, M. Cisse, Y. Dauphin and D. Lopez-Paz, "mixup: Beyond Empirical Risk Minimization", 2018.
    """

    keyword = "mixup"

    alpha: float = _alpha(0.2)


class CutMix(Mix, Spatial):
    """Paste a rectangle of the next image in the batch into each, and mix the loss by their areas.

    S. Yun et al., "CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features",
    2019.
    """

    keyword = "cutmix"


class TrivialAugment(Spatial):
    """Apply one of 14 operations, of a random strength up to a very large one.

    S. Müller and F. Hutter, "TrivialAugment: Tuning-free Yet State-of-the-Art Data Augmentation", 2021: its
    wide space of operations.
    """

    keyword = "trivialaugment"

    fill: float = _fill()


class RandAugment(Spatial):
    """Apply some of 14 operations one after another, all of the same strength.

    E. Cubuk, B. Zoph, J. Shlens and Q. Le, "RandAugment: Practical Automated Data Augmentation with a Reduced
    Search Space", 2020.
    """

    keyword = "randaugment"

    strength: float = arg(Number(0, 1, above=True), "share of the largest strength", default=0.3, main=True)
    operations: int = arg(Whole(1, MAX_OPERATIONS), "operations for each sample", default=2)
    fill: float = _fill()


class Shrink(Spatial):
    """Make the image smaller, interpolated bicubically; images are read that much larger than the input."""

    keyword = "shrink"

    factor: int = arg(
        Whole(2, MAX_SHRINKAGE), "how many times smaller height and width become", default=2, main=True
    )


CORRUPTIONS: Final[Mapping[str, type[Transform]]] = {
    each.keyword: each for each in (Noise, Blur, Erase, Shrink)
}
"""What can happen to what the network sees, but not to its targets; in evaluation too."""

TRANSFORMS: Final[Mapping[str, type[Transform]]] = {
    each.keyword: each
    for each in (
        Flip,
        Crop,
        ResizedCrop,
        Rotate,
        Scale,
        Translate,
        Shear,
        Erase,
        Brightness,
        Contrast,
        Saturation,
        Hue,
        Grey,
        Blur,
        Noise,
        TrivialAugment,
        RandAugment,
        Mixup,
        CutMix,
    )
}
