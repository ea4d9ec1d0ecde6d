"""What may be asked of the inside of a network, and which settings each question has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from cnncli.diagnostics import did_you_mean, listing, usage_error

FILTERS: Final = "filters"
MAPS: Final = "maps"
PATCHES: Final = "patches"
OCCLUSION: Final = "occlusion"
GRADCAM: Final = "gradcam"
GRADIENT: Final = "gradient"

SETTINGS: Final[Mapping[str, frozenset[str]]] = {
    FILTERS: frozenset({"layer"}),
    MAPS: frozenset({"images", "layer"}),
    PATCHES: frozenset({"data", "split", "layer", "channels"}),
    OCCLUSION: frozenset({"images", "layer", "target", "head", "window", "stride"}),
    GRADCAM: frozenset({"images", "layer", "target", "head"}),
    GRADIENT: frozenset({"images", "target", "head"}),
}
"""The settings that have an effect, by what is asked for."""


class Asked(NamedTuple):
    """What is asked for, and the new picture. Settings that are not given are None or empty."""

    what: str
    output: Path
    images: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    split: str | None = None
    layer: str | None = None
    channels: tuple[int, ...] = ()
    target: str | None = None
    head: str | None = None
    window: int | None = None
    stride: int | None = None
    weights: str | None = None

    def check(self) -> None:
        """Check that there is such a question, and that each setting has an effect on its answer.

        Raises:
            UsageError: there is none, or one has not, or an image is missing.
        """
        if self.what not in SETTINGS:
            hint = did_you_mean(self.what, SETTINGS)
            expected = listing([*SETTINGS], last=" or ")
            raise usage_error(
                "nothing like this can be shown", expected=expected, received=self.what, hint=hint
            )
        for names in SETTINGS.values():
            for name in sorted(names - SETTINGS[self.what]):
                if getattr(self, name) not in (None, ()):
                    able = [what for what, known in SETTINGS.items() if name in known]
                    raise usage_error(
                        f"'{name}' has no effect on {self.what}", expected=f"one of {listing(able)} with it"
                    )
        if "images" in SETTINGS[self.what] and not self.images:
            raise usage_error(
                f"{self.what} needs an image", expected="a file, or test:0 of the run's own data"
            )
