"""The table of foreign names: every name on our side exists, and none on the other side is one of ours."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pytest

from cnncli import foreign
from cnncli.diagnostics import did_you_mean, nearest
from cnncli.language.document import SECTIONS
from cnncli.language.fields import Record
from cnncli.language.nodes import RESERVED
from cnncli.language.sections import Budget
from cnncli.layers import KINDS, KindVocabulary
from cnncli.layers.geometry.padding import MODES, WORDS
from cnncli.limits import MAX_QUOTED
from cnncli.recipe.data import Data
from cnncli.recipe.devices import DEVICES
from cnncli.recipe.dtypes import ITEMSIZES
from cnncli.recipe.losses import LOSSES
from cnncli.recipe.optimizers import OPTIMIZERS, SGD, AdamW, RMSprop
from cnncli.recipe.recipe import Recipe
from cnncli.recipe.schedules import SCHEDULES
from cnncli.recipe.tasks import Task
from tests.language.support import fault

CHOICES = [
    argument.reader.words
    for kind in KINDS.values()
    for argument in kind.arguments.values()
    if hasattr(argument.reader, "words")
]
RECORDS: list[type[Record]] = [
    *(Recipe, Data, Task),
    *(*OPTIMIZERS.values(), *SCHEDULES.values(), *LOSSES.values()),
]
PLACES: Mapping[str, list[Collection[str]]] = {
    "kinds": [KINDS.keys()],
    "arguments": [kind.words() for kind in KINDS.values()],
    "settings": [
        *(record.arguments.keys() for record in RECORDS),
        OPTIMIZERS.keys(),
        SCHEDULES.keys(),
        ITEMSIZES.keys(),
        ["auto", *DEVICES],
    ],
    "sections": [SECTIONS.keys(), RESERVED, Budget.arguments.keys()],
    "words": [WORDS, MODES, KindVocabulary().shorthand("norm").keys(), *CHOICES],
}
"""For each table, the sets of names among which one is written."""

ENTRIES = [
    pytest.param(table, theirs, ours, id=f"{table}-{theirs}")
    for table, entries in foreign.TABLES.items()
    for theirs, ours in entries.items()
]


@pytest.mark.parametrize(("table", "theirs", "ours"), ENTRIES)
def test_every_entry_helps_somewhere(table: str, theirs: str, ours: tuple[str, ...]) -> None:
    assert theirs == foreign.bare(theirs)
    for name in ours:
        places = [place for place in PLACES[table] if name in place]
        assert places, f"'{name}' does not exist"
        # Where their name is one of ours, nothing is wrong.
        assert any(nearest(theirs, place) is not None and theirs not in place for place in places)


@pytest.mark.parametrize(("table", "theirs", "ours"), ENTRIES)
def test_no_foreign_name_is_one_of_ours(table: str, theirs: str, ours: tuple[str, ...]) -> None:
    possible = [place for place in PLACES[table] if any(name in place for name in ours)]
    assert not all(theirs in place for place in possible)
    if table in ("kinds", "settings", "sections"):
        assert not any(theirs in place for place in possible)


@pytest.mark.parametrize("name", foreign.MISSING)
def test_what_we_do_not_have(name: str) -> None:
    alike, advice = foreign.MISSING[name]
    (*places,) = (place for where in PLACES.values() for place in where if alike in place)
    assert places, f"'{alike}' does not exist"
    assert name == foreign.bare(name)
    for place in places:
        assert name not in place
        assert nearest(name, place) is None
        assert did_you_mean(name, place) == advice
    assert did_you_mean(name, ["something"]) != advice


@pytest.mark.parametrize("name", foreign.OMITTED)
def test_arguments_that_are_not_needed(name: str) -> None:
    assert name == foreign.bare(name)
    assert not any(name in kind.words() for kind in KINDS.values())
    assert did_you_mean(name, KINDS["relu"].words(), omits=True) == foreign.OMITTED[name]
    assert did_you_mean(name, KINDS["batchnorm"].words(), omits=True) == foreign.OMITTED[name]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("dense", "'linear'"),
        ("Dense", "'linear'"),
        ("deconv", "'convtranspose'"),
        ("Conv2DTranspose", "'convtranspose'"),
        ("fc", "'linear'"),
        ("bn", "'batchnorm'"),
        ("BatchNorm2d", "'batchnorm'"),
        ("LRN", "'localresponsenorm'"),
        ("GAP", "'globalavgpool'"),
        ("GlobalAveragePooling2D", "'globalavgpool'"),
        ("pool", "'maxpool' or 'avgpool'"),
        ("InnerProduct", "'linear'"),
        ("Eltwise", "'add'"),
        ("Conv2d", "'conv'"),
        ("nn.Conv2d(3, 64, kernel_size=3, stride=2, padding=1, bias=False, groups=1)", "'conv'"),
        ("nn.ReLU(inplace=True)", "'relu'"),
        ("nn.LeakyReLU(0.1)", "'leaky_relu'"),
        ("tf.keras.layers.MaxPooling2D", "'maxpool'"),
        ("Dropout2d", "'dropout2d'"),
        ("Dropout3d", "'dropout'"),
        ("convolutin", "'conv'"),
        ("Batch_Normalization", "'batchnorm'"),
        ("cnov", "'conv'"),
    ],
)
def test_kinds(written: str, meant: str) -> None:
    assert fault(f"layers:\n  - {written}\n").hint == f"did you mean {meant}?"


@pytest.mark.parametrize(
    "word", ["attention", "pixelunshuffle", "PixelUnshuffle", "lstm", "transpose", "resnet", "foo"]
)
def test_no_kind_is_suggested_that_does_something_else(word: str) -> None:
    assert "did you mean" not in fault(f"layers: [{word}]").hint


@pytest.mark.parametrize(
    ("word", "separable"),
    [
        ("depthwise", False),
        ("DepthwiseConv2D", False),
        ("dwconv", False),
        ("SeparableConv2d", True),
    ],
)
def test_a_depthwise_convolution_is_not_a_full_one(word: str, separable: bool) -> None:
    hint = fault(f"layers: [{word}: {{kernel: 3}}]").hint
    assert hint.startswith("write a 'conv' with as many 'groups' as it has input channels")
    assert ("kernel 1 after it" in hint) == separable


def test_a_variable_in_the_place_of_a_kind() -> None:
    assert fault("vars: {pool: maxpool}\nlayers: [$pool: 2]").hint.startswith("a variable cannot be a kind")


@pytest.mark.parametrize(
    ("kind", "written", "hint"),
    [
        ("conv", "out_channels", "did you mean 'channels'?"),
        ("conv", "filters", "did you mean 'channels'?"),
        ("conv", "kernel_size", "did you mean 'kernel'?"),
        ("conv", "strides", "did you mean 'stride'?"),
        ("conv", "in_channels", "leave it out: it follows from the layer before"),
        ("conv", "use_bias", "did you mean 'bias'?"),
        ("conv", "rate", "did you mean 'dilation'?"),
        ("conv", "data_format", "leave it out: channels are always the first axis"),
        ("linear", "units", "did you mean 'features'?"),
        ("linear", "in_features", "leave it out: it follows from the layer before"),
        ("dropout", "rate", "did you mean 'probability'?"),
        ("dropout", "p", "did you mean 'probability'?"),
        ("maxpool", "pool_size", "did you mean 'kernel'?"),
        ("relu", "inplace", "leave it out: it does not change what the layer computes"),
        ("softmax", "dim", "leave it out: channels are always the first axis"),
        ("upsample", "scale_factor", "did you mean 'scale'?"),
        ("leaky_relu", "negative_slope", "did you mean 'slope'?"),
        ("prelu", "init", "did you mean 'start'?"),
        ("adaptiveavgpool", "output_size", "did you mean 'size'?"),
    ],
)
def test_arguments(kind: str, written: str, hint: str) -> None:
    assert did_you_mean(written, KINDS[kind].words(), omits=True) == hint


@pytest.mark.parametrize(
    ("place", "written", "meant"),
    [
        (["auto", *DEVICES], "gpu", "cuda"),
        (["auto", *DEVICES], "CUDA", "cuda"),
        (SGD.arguments, "learning_rate", "lr"),
        (Recipe.arguments, "batch_size", "batch"),
        (OPTIMIZERS, "optim.AdamW", "adamw"),
        (RMSprop.arguments, "rho", "alpha"),
        (AdamW.arguments, "beta_2", "beta2"),
        (SCHEDULES, "CosineAnnealingLR", "cosine"),
        (ITEMSIZES, "fp16", "float16"),
        (SECTIONS, "architecture", "layers"),
        (Budget.arguments, "parameters", "params"),
        (MODES, "mirror", "reflect"),
        (RESERVED, "bottom", "from"),
    ],
)
def test_other_words(place: Collection[str], written: str, meant: str) -> None:
    assert nearest(written, place) == meant


def test_a_foreign_name_is_not_one_where_ours_is_not_possible() -> None:
    assert nearest("dense", ["conv", "width"]) is None
    assert nearest("fc", ["features"]) is None


def test_a_list_of_all_begins_with_the_nearest() -> None:
    hint = did_you_mean("woolly", KINDS.keys(), "kinds")
    assert hint.startswith("kinds: maxpool, minpool, avgpool, ")
    assert hint.endswith(f" and {len(KINDS) - 20} more")
    few = ["one", "two", "three"]
    assert did_you_mean("zzzz", few, "words") == "words: one, two, three"


def test_only_the_beginnings_of_long_words_are_compared() -> None:
    """Words can be as long as a file, and each is compared with hundreds."""
    others = [f"m{number}" for number in range(30)]
    end = "tail" * 20
    hint = did_you_mean("q" * MAX_QUOTED + end, [*others, "z" * MAX_QUOTED + end], "words")
    assert hint
    assert end not in hint


@pytest.mark.parametrize(
    ("word", "candidate", "is_one"),
    [
        ("aa", "a", True),
        ("kernl", "kernel", True),
        ("activat", "activation", True),
        ("dense", "noise", False),
        ("stam", "stem", True),
        ("fc", "elu", False),
    ],
)
def test_what_is_a_slip(word: str, candidate: str, is_one: bool) -> None:
    assert (nearest(word, [candidate]) == candidate) == is_one
