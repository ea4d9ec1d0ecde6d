"""What is said of images that were read: what was done to them, and what their decoders warned about."""

from __future__ import annotations

from collections import Counter

from cnncli.diagnostics import counted, shortened


def conversion_notes(changes: Counter[str], total: int) -> tuple[str, ...]:
    """Return a line for each kind of conversion with the number of images, the most frequent first."""
    return tuple(
        f"{'all' if count == total else count} images {change}" if count != 1 else f"1 image {change}"
        for change, count in changes.most_common()
    )


def decoder_notes(warned: list[str], printed: tuple[str, ...]) -> tuple[str, ...]:
    """Return a line about the images that Pillow warned about, and one about what libtiff said of all."""
    notes = []
    if warned:
        images = "1 image" if len(warned) == 1 else f"{len(warned)} images"
        notes.append(f"{images} may be damaged, as the decoder warned: {shortened(warned[0], 200)}")
    if printed:
        notes.append(
            f"libtiff reported {counted(len(printed), 'problem')}, the first: {shortened(printed[0], 200)}"
        )
    return tuple(notes)
