"""Settings for the whole suite."""

from __future__ import annotations

from hypothesis import settings

# A shared machine can stop for a while within any example: time says nothing about an example here.
settings.register_profile("cnncli", deadline=None)
settings.load_profile("cnncli")
