"""What ``import cnncli`` offers, and what the command line calls.

Nothing here imports torch before a module, a training or a measurement is asked for.
"""

from cnncli.analyzed import Layer
from cnncli.api.data_sources import pack, survey
from cnncli.api.exporting import export
from cnncli.api.extending import kinds, load_installed_plugins, load_plugins
from cnncli.api.identifying import identify
from cnncli.api.importing import import_network
from cnncli.api.looking import features, look, similar
from cnncli.api.networks import (
    Input,
    Overrides,
    compare,
    load,
    loads,
    select,
    spec_names,
    specs,
    symbol,
)
from cnncli.api.run_folders import compare_runs, draw_runs, evaluate, predict, resume, runs, several, speaks
from cnncli.api.shrinking import shrink
from cnncli.architecture import Architecture, need_training

__all__ = [
    "Architecture",
    "Input",
    "Layer",
    "Overrides",
    "compare",
    "compare_runs",
    "draw_runs",
    "evaluate",
    "export",
    "features",
    "identify",
    "import_network",
    "kinds",
    "load",
    "load_installed_plugins",
    "load_plugins",
    "loads",
    "look",
    "need_training",
    "pack",
    "predict",
    "resume",
    "runs",
    "select",
    "several",
    "shrink",
    "similar",
    "speaks",
    "spec_names",
    "specs",
    "survey",
    "symbol",
]
