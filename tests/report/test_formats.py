"""Every command's page in every format: real networks, known and unknown sizes, and what errors look like."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from types import MappingProxyType
from typing import NoReturn

import pytest

from cnncli.algebra import summed, symbol
from cnncli.analysis import specs as catalog
from cnncli.analysis.check import check as check_budget
from cnncli.analysis.costs.figures import costs
from cnncli.analysis.costs.fully_connected import compare as compare_with_dense
from cnncli.analysis.costs.overview import overview
from cnncli.analysis.fit.search import Search, Step, Written
from cnncli.analysis.fit.solving import Candidate, Fitted
from cnncli.analysis.memory.report import memory_report
from cnncli.analysis.memory.totals import memory_totals
from cnncli.analysis.sizes import near, valid_sizes
from cnncli.analysis.space.claims import Claim
from cnncli.analysis.space.receptive_field import receptive_fields
from cnncli.analysis.space.shifts import Shift, shifts
from cnncli.api import load
from cnncli.cli.common import Format
from cnncli.graph import Graph, Size, all_sizes, open_spec
from cnncli.language.sections import Budget
from cnncli.layers import KINDS
from cnncli.recipe import columns
from cnncli.recipe.recipe import Recipe
from cnncli.report import terminal
from cnncli.report.page import Answer, Page, Text
from cnncli.report.pages import (
    check,
    compare,
    cut,
    data,
    dry_run,
    evaluate,
    export,
    features,
    find_lr,
    fit,
    identify,
    import_,
    inspect,
    layers,
    look,
    memory,
    mirror,
    predict,
    probe,
    runs,
    shrink,
    similar,
    sizes,
    specs,
)
from cnncli.report.pages.formulas import Formulas
from cnncli.report.pages.spatial import FieldView, ShiftView
from cnncli.report.show import FORMATS, text
from cnncli.report.text.columns import Column, Fold, Table
from cnncli.report.text.numbers import exact
from cnncli.report.text.wrapping import NO_BREAK
from cnncli.results.dry_run import Counts, DryRun, Times, Tried
from cnncli.results.export import Compared as ExportedInput
from cnncli.results.export import Exported, Quantized, Resized
from cnncli.results.find_lr import RangeTest, Rate, Suggestion
from cnncli.results.identifying import Identified, Match
from cnncli.results.importing import Import
from cnncli.results.looking import Features, Looked, Neighbor, Query, Similar
from cnncli.results.predictions import Answer as Predictions
from cnncli.results.predictions import Guess, Predicted, Said
from cnncli.results.probe import Change, Found, Probe
from cnncli.results.runs import Compared as RunsCompared
from cnncli.results.runs import Damaged, Runs, RunSummary
from cnncli.results.shrinking import Shrunk, ShrunkFigure, ShrunkLayer
from cnncli.results.survey import (
    Channel,
    ClassCounts,
    Duplicates,
    KindOfImages,
    MaskClass,
    Numbers,
    Sheet,
    Spread,
    Survey,
    Unreadable,
)
from cnncli.results.training import (
    ClassFigures,
    Epoch,
    Evaluated,
    Evaluation,
    HeadClasses,
    Introduction,
    Outcome,
)
from cnncli.results.transfer import Origin
from cnncli.results.verify import Compared, Verification

H = symbol("H")


@cache
def network(name: str, size: Size | None = None) -> Graph:
    return open_spec(name, size=size).graph


def inspected(name: str) -> Page:
    graph = network(name)
    views = (FieldView(receptive_fields(graph)), ShiftView(shifts(graph)))
    return inspect.page(graph, costs(graph), 4, inspect.Asked(None, views, compare_with_dense(graph)))


def inspected_formulas(name: str) -> Page:
    graph = network(name, all_sizes)
    figures = costs(graph)
    formulas = Formulas(memory_totals(graph, figures, 1), valid_sizes(graph))
    return inspect.page(graph, figures, asked=inspect.Asked(formulas=formulas))


def remembered(name: str, size: Size | None = None) -> Page:
    graph = network(name, size)
    fit_into = None if graph.unknowns else 2**34
    return memory.page(memory_report(graph, Recipe(), 2, "float32", fit_into))


FITTING = Match("unet", {"width": 24, "norm": True}, 1, {"a*b": ""}, 6, {}, {}, {}, {"x|y": ("c", "d")})
NEAREST = FITTING._replace(
    reshaped={"w|1": ((3, 4), (5,))}, missing={"m": (1,)}, left_over={f"l{n}": (n,) for n in range(30)}
)


def mirrored(name: str) -> Page:
    return mirror.page(load(name).mirror("maxpool2")._replace(path="[autoencoder].yaml"))


def accepted(name: str) -> Page:
    graph = network(name, all_sizes)
    found = valid_sizes(graph)
    return sizes.page(graph, found, costs(graph).totals.params, near(found.axes, 100))


def checked(*names: str, macs: int) -> Page:
    budget = Budget(macs=macs, params=10**9)
    return check.page([check.Checked(name, check_budget(network(name), budget, Recipe())) for name in names])


def fitted(written: Written | None) -> Page:
    found = Fitted(9, 8, 10, formulas={"params": (64 * H * H + 1000,), "macs": (H, 2 * H)}, tried=None)
    tried = Fitted(3, 2, None, tried=40)
    figures = ((8, 5_096), (9, 6_184), (10, 7_400))
    around = tuple(Candidate(value, {"params": params, "memory": 10**9}, 16) for value, params in figures)
    limits = {"params": 6_200, "memory": 2 * 10**9}
    step = Step("width", 10, found, 9, around)
    other = Step("depth", 2, tried, 3, (Candidate(3, {"params": 6_000, "memory": 10**9}, 16),))
    return fit.page(Search(network("lenet5"), limits, (step, other), written))


def probed(*deviations: float | None) -> Page:
    graph = network("lenet5")
    found = tuple(
        Found(
            Claim(graph.nodes[0], axis, Shift(1, 1), range(2, 26), "" if each is not None else "no room"),
            each,
        )
        for axis, each in enumerate(deviations)
    )
    return probe.page(graph, Probe(found, {"output": (Change(1, (0.25, None)),)}), {"seed": 0})


def verified(*totals: Compared) -> Page:
    explained = tuple(
        Compared(f"conv{n}", "macs", n, n + 1, "torchinfo counts <bias> as well") for n in range(9)
    )
    graph = network("lenet5")
    verification = Verification(40, explained, totals)
    return inspect.page(graph, costs(graph), asked=inspect.Asked(verification=verification))


def about() -> Introduction:
    return Introduction(
        name="a_b|c",
        device="cuda",
        folder=Path("runs/a_b_c-1"),
        data="folder:/data/of many|images",
        train_count=1200,
        val_count=100,
        test_count=300,
        columns={
            "label": columns.Column("class", ("cat <1>", "dog|2")),
            "target": columns.Column("picture", (), (1, 8, 8)),
        },
        input_shape=(1, 8, 8),
        notes=("one note",),
        spec_notes=(),
        moved=(),
        transforms=(),
        origins={"net.yaml": ("epochs",)},
        corrupt=(),
        tasks=("output: mse of target",),
        optimizer="adamw",
        ways=(),
        rates=(),
        lr=0.001,
        schedule="cosine",
        penalty="",
        stop="after 3 epochs",
        chosen_by="",
        computing="precision float32",
        update=(),
        stages=(),
        ends=0,
        within=None,
        start=None,
        batch=64,
        seed=0,
        epochs=200,
        epochs_before=200,
        resumed=False,
        finished_epochs=0,
        finished_batches=0,
        ended="",
    )


def tried(memory: int | None = 5 * 2**20) -> Page:
    few = Tried(
        about=about(),
        counts={"label": Counts((1100, 100), (50, 50), (150, 150))},
        batch=64,
        steps=19,
        tried=6,
        times=Times(0.25, 0.002, 5, 0.05, 0.1, 0.07),
        files={"run.json": 1234, "weights.safetensors": 5678901},
        peak=123456789,
    )
    return dry_run.page(DryRun(few, 852370, memory, "" if memory else "the memory of 'mine' is not known"))


def ranged(*found: float) -> Page:
    suggestion = Suggestion(*found) if found else None
    rates = [Rate(10.0**place, 2.0, 2.5 - 0.1 * place) for place in range(-6, 2)]
    return find_lr.page(RangeTest(about(), "adamw", rates, suggestion is None, suggestion, Path("a|b.svg")))


def evaluated() -> Page:
    rows = (ClassFigures(3, 2, 1.0, 2 / 3, 0.8, 2 / 3), ClassFigures(0, 0, None, None, None, None))
    head = HeadClasses(("cat <1>", "dog|2"), "images", rows, ((2, 1), (0, 0)))
    figures = {"loss": 0.5, "accuracy": 2 / 3}
    return evaluate.page(Evaluated("a_b|c", "digits", Evaluation(3, figures, {"output": head}), ()))


def trained(folder: str, epochs: int, lr: float) -> RunSummary:
    history = tuple(
        Epoch(number, lr / number, 12.5, 1000.0, {"train.loss": 1 / number, "val.accuracy": 1 - 1 / number})
        for number in range(1, epochs + 1)
    )
    outcome = Outcome(epochs, "val.loss", "", {"test.loss": 0.5, "test.accuracy": 0.75}, "")
    settings = {"epochs": 20, "optimizer": {"sgd": {"lr": lr}}}
    return RunSummary(
        Path(folder), "a|b", "finished", "2026-01-02T03:04:05+00:00", 5.0, "folder:<b>", "x", 20, history,
        outcome if epochs else None, None, settings, "",
    )  # fmt: skip


def listed() -> Page:
    found = (trained("runs/a", 20, 0.1), trained("runs/b_*_|", 0, 0.1)._replace(status="running"))
    return runs.page(Runs(found, (Damaged(Path("runs/c"), "it is <damaged>"),)), 3605.0)


def compared_runs() -> Page:
    found = (trained("runs/a", 20, 0.1), trained("runs/b_*_|", 2, 0.2))
    settings = {"optimizer.sgd.lr": (0.1, 0.2), "transforms": ([], [{"crop": {"padding": 1}}])}
    compared = RunsCompared(found, settings, {"layers.0.conv": (None, "<3>")}, data_changed=True)
    return runs.comparison(compared, 3605.0, Path("out.svg"))


def predicted(images: int = 2) -> Page:
    guesses = (Guess("cat <1>", 0.7), Guess("dog|2", 0.3))
    heads = {
        "what": Said("class", guesses, "dog|2"),
        "where": Said("mask", guesses[:1]),
        "how_much": Said("number", numbers={"age|_": 0.5}),
        "clean": Said("picture"),
    }
    answers = tuple(Predictions(f"a_b|{number}.png", heads) for number in range(images))
    return predict.page(Predicted("a_b|c", Path("w"), answers, (), ("all|of it",), Path("out|.png"), images))


def written_features() -> Page:
    return features.page(
        Features(
            "a_b|c", Path("w"), "conv_1|", "mean", 1_438, 64, "all 9 of <x>|", ("cat <1>",), Path("o|.npz")
        )
    )


def neighbors() -> Page:
    near = (Neighbor(1_234, 0.5, "cat <1>", "a|b.png"), Neighbor(7, 1e-9, "", ""))
    queries = (Query("x_*_|.png", "cat <1>", near), Query("y.png", "", near[1:]))
    return similar.page(
        Similar("a_b|c", Path("w"), "conv_1|", "", 9, "all <9>", queries, Path("o|.png"), ("left_out|",))
    )


def looked(rows: int) -> Page:
    row = {"image": "a_*|.png", "true": "", "class": "cat <1>", "probability": 0.25, "channel": 1_234}
    facts = {"layer": "conv_1|", "largest": 1.5, "kernels": 1_000, "true": ""}
    return look.page(
        Looked("gradcam", "a_b|c", Path("w"), facts, (row,) * rows, Path("o|.png"), ("12 of <x>",))
    )


def exported(quantized: Quantized | None) -> Page:
    sizes = {each.name: each.sizes for each in valid_sizes(network("unet_padded", all_sizes)).axes}
    return export.page(
        Exported(
            "a_b|c",
            "onnx",
            Path("o|.onnx"),
            12_345_678,
            Origin("w|.safetensors", "0" * 64, ""),
            46,
            sizes,
            functions={"block <1>": 3},
            compared=(ExportedInput((1, 3, 32, 32), 1.5e-7), ExportedInput((2, 3, 64, 32), None)),
            notes=("a <note>",),
            images="images of any size, resized and normalized",
            resized=Resized(1_000, 3, 1.0),
            quantized=quantized,
        )
    )


def imported(difference: float | None) -> Page:
    return import_.page(
        Import(
            name="a_b|c",
            source="net|.onnx",
            spec=Path("o|.yaml"),
            weights=Path("o|.safetensors"),
            input_shape=(3, 32, 32),
            layers=12,
            params=123_456,
            tensors=24,
            blocks={"unit <1>": 3},
            renamed={f"layer{i}.weight": f"w|{i}" for i in range(30)},
            difference=difference,
            uncompared="" if difference is not None else "since torch is not installed",
            notes=("a <note>",),
        )
    )


def shrunk(tuned: float | None) -> Page:
    return shrink.page(
        Shrunk(
            "a_b|c",
            (ShrunkLayer("conv|1", "conv", 64, 17), ShrunkLayer("fc", "linear", 10, 10)),
            (ShrunkFigure("params", 1_234_567, 99_999, 100_000),),
            47,
            64,
            "accuracy",
            0.9123,
            0.5,
            Path("s|.yaml"),
            Path("s|.safetensors"),
            Path("runs/1"),
            None if tuned is None else Path("runs/2|"),
            tuned,
        )
    )


def surveyed(*, faults: bool = True) -> Survey:
    rgb = tuple(Channel(name, 0, 255, 0.485, 0.229) for name in ("red", "green", "blue"))
    color = KindOfImages("color", 1_230, 255, rgb, ("a.png",))
    deep = KindOfImages(
        "gray of 16 bits", 4, 65535, (Channel("gray", 17, 4095, 0.01, 0.002),), ("b|.png",) * 3
    )
    found = Survey(
        source="folder:/some/where/a_b|c",
        parts=("train", "held out"),
        images=(1_024, 210),
        classes=(
            ClassCounts("cat <1>", (1_000, 200)),
            ClassCounts("x" * 70, (20, 10)),
            ClassCounts(None, (4, 0)),
        ),
        sizes=(Spread("height", 20, 480.5, 4_000), Spread("width", 31, 640, 6_000)),
        distinct_sizes=12,
        commonest_size=((480, 640), 900),
        kinds=(color, deep),
        duplicates=(
            Duplicates(
                5, ("train/cat/1.png", "test/cat/2.png", "c.png"), ("train", "held out"), ("cat", "dog")
            ),
            *[Duplicates(2, ("a.png", "b.png"), ("train",), ("cat",))] * 21,
        ),
        unreadable=(Unreadable("a*b.png", "/some/where/a*b.png: cannot be read: it is damaged"),) * 22,
        warnings=("cannot be trained on: it has <only> one class",),
        notes=("3 images rotated according to EXIF",),
        numbers=(Numbers("a|ge" * 20, 1_200, -1.5, 123_456, 42.123456, 0.000123),),
        wrong_masks=(Unreadable("a.png", "/some/where/m.png: a mask in color (RGB)"),),
        masks=(MaskClass("outline", 0, 1_000, 0.9), MaskClass("outline", 255, 3, 0.1)),
        sheet=Sheet(Path("sheet.png"), 20, 3),
    )
    if faults:
        return found
    clean = replace(
        found,
        duplicates=(),
        unreadable=(),
        warnings=(),
        notes=(),
        kinds=(color,),
        sheet=None,
        numbers=(),
        wrong_masks=(),
        masks=(),
    )
    return replace(
        clean, parts=("",), images=(1_230,), classes=(ClassCounts("cat", (1_230,)),), distinct_sizes=1
    )


VGG = ("vgg11", "vgg16", "vgg19")
PAGES: Mapping[str, Callable[[], Page]] = MappingProxyType(
    {
        "inspect": lambda: inspected("lenet5"),
        "inspect a residual network": lambda: inspected("resnet50"),
        "inspect training heads": lambda: inspected("googlenet"),
        "inspect formulas": lambda: inspected_formulas("unet"),
        "inspect formulas of parameters": lambda: inspected_formulas("lenet5"),
        "compare": lambda: compare.page([overview(network(name), 2) for name in VGG], 2),
        "compare layers": lambda: compare.page([overview(network(name)) for name in VGG], layers=True),
        "sizes": lambda: accepted("unet_padded"),
        "mirror": lambda: mirrored("toy_classifier"),
        "cut": lambda: cut.page(load("googlenet").cut(after="inception4d")._replace(path="[part].yaml")),
        "identify": lambda: identify.page(Identified("a|b.pth", 6, 7_000, FITTING, (FITTING,))),
        "identify nearest": lambda: identify.page(Identified("a|b.pth", 6, 7_000, NEAREST, ())),
        "sizes that parameters depend on": lambda: accepted("lenet5"),
        "memory": lambda: remembered("googlenet"),
        "memory formulas": lambda: remembered("unet", all_sizes),
        "memory formulas of one symbol": lambda: remembered("resnet18", (3, 32 * H, 32 * H)),
        "check within": lambda: checked("lenet5", macs=10**6),
        "check over": lambda: checked("lenet5", macs=10**3),
        "check several": lambda: checked("lenet5", "vgg16", macs=10**6),
        "fit": lambda: fitted(None),
        "fit written": lambda: fitted(Written("new|file.yaml", kept=False)),
        "probe": lambda: probed(1e-12, 0.0),
        "probe wrong": lambda: probed(0.5, 1e-12),
        "probe not measured": lambda: probed(None, None),
        "probe nothing": probed,
        "inspect verified": lambda: verified(Compared("total", "params", 5, 5)),
        "inspect verified wrong": lambda: verified(Compared("total", "params", 5, 6)),
        "evaluate": evaluated,
        "runs": listed,
        "runs compared": compared_runs,
        "predict": predicted,
        "predict many": lambda: predicted(200),
        "features": written_features,
        "similar": neighbors,
        "look": lambda: looked(0),
        "look many": lambda: looked(50),
        "export": lambda: exported(None),
        "export of 8 bits": lambda: exported(
            Quantized(3, 4, 512, "accuracy", 359, 0.9, 0.89, 4_000_000, 0.02)
        ),
        "import_": lambda: imported(1.5e-7),
        "import_ without a comparison": lambda: imported(None),
        "shrink": lambda: shrunk(None),
        "shrink and tune": lambda: shrunk(0.9),
        "dry_run": tried,
        "dry_run without a prediction": lambda: tried(None),
        "find_lr": lambda: ranged(0.1, 1.0, 0.5),
        "find_lr without a suggestion": ranged,
        "data": lambda: data.page(surveyed()),
        "data without faults": lambda: data.page(surveyed(faults=False)),
        "layers": lambda: layers.overview(KINDS),
        "layers conv": lambda: layers.page("conv", KINDS["conv"]),
        "layers add": lambda: layers.page("add", KINDS["add"]),
        "layers relu": lambda: layers.page("relu", KINDS["relu"]),
        "specs": lambda: specs.page(catalog.catalog()),
    }
)

every_page = pytest.mark.parametrize("name", PAGES)


@cache
def page(name: str) -> Page:
    return PAGES[name]()


def blocks(shown: Page, width: int | None = None) -> list[Table | Text]:
    return [block for section in (shown.lead, *shown.sections(width)) for block in section]


def cells(shown: Page, without: Sequence[str] = ()) -> list[str]:
    """The text of every cell, except in columns with one of the headings ``without``."""
    tables = [block for block in blocks(shown) if isinstance(block, Table)]
    columns = [column for table in tables for column in table.columns if column.heading not in without]
    return [cell for column in columns for cell in column.cells]


def test_every_module_of_pages_is_here() -> None:
    folder = Path(inspect.__file__).parent
    helpers = {
        "course",
        "__init__",
        "formulas",
        "side_by_side",
        "notes",
        "rates",
        "start",
        "spatial",
        "views",
        "verify",
        "train",
        "pack",
        "pretrain",
        "recipe",
    }  # train, pack and pretrain show lines while they run, and a recipe is YAML
    assert {path.stem for path in folder.glob("*.py")} - helpers == {name.partition(" ")[0] for name in PAGES}


def test_the_command_line_offers_every_format() -> None:
    assert [*Format] == [*FORMATS]


@every_page
def test_a_terminal_of_80_columns_is_wide_enough(name: str) -> None:
    lines = text(page(name), width=80).splitlines()
    # A word without a blank, such as a path, stays whole, so that it can be copied.
    assert [line for line in lines if len(line) > 80 and " " in line.strip()] == []


@every_page
@pytest.mark.parametrize("width", [60, 40])
def test_texts_are_wrapped_on_any_terminal(name: str, width: int) -> None:
    title, *_ = text(page(name), width=width).splitlines()
    assert len(title) <= width or not page(name).title
    # Below 60 columns, tables may be wider than the screen.
    tables = ("heading", "row", "total", "") if width == 60 else ()
    roles = ("note", "good", "error", *tables)
    lines = [line.text for line in terminal.lines(page(name), width) if line.role in roles]
    assert [line for line in lines if len(line) > width and " " in line.strip()] == []


@every_page
def test_a_pipe_gets_every_cell_whole(name: str) -> None:
    shown = text(page(name))
    folded = " ".join(shown.split())  # formulas are folded into tables of their own, and into lines
    # Neurons and values are the product of an output: where those are formulas, only the totals are shown.
    without = ["neurons", "values"] if "where h1 =" in shown else []
    assert [cell for cell in cells(page(name), without) if " ".join(cell.split()) not in folded] == []
    assert NO_BREAK not in shown
    assert "\n\n\n" not in shown
    assert not shown.startswith("\n")
    assert not shown.endswith("\n\n")


@every_page
def test_json_has_a_schema(name: str) -> None:
    document = json.loads(text(page(name), "json"))
    version = 3 if name == "evaluate" else 1
    assert document["schema"] == f"cnncli.{name.partition(' ')[0].removesuffix('_')}/{version}"


@every_page
def test_markdown_tables_have_their_columns(name: str) -> None:
    lines = text(page(name), "markdown").splitlines()
    tables = [block for block in blocks(page(name)) if isinstance(block, Table)]
    starts = [number for number, line in enumerate(lines) if re.fullmatch(r"\|( -{3}:? \|)+", line)]
    assert len(starts) == len(tables)
    for start, table in zip(starts, tables, strict=True):
        assert start < 2 or lines[start - 2] == "", "a table follows a blank line"
        count = len(table.columns[0].cells) + len(table.rules)
        for line in (lines[start - 1], *lines[start + 1 : start + 1 + count]):
            assert len(re.findall(r"(?<!\\)\|", line)) == len(table.columns) + 1, line


class Checker(HTMLParser):
    """Follows tags, which have to be balanced, and keeps the text of cells and paragraphs."""

    VOID = frozenset({"br", "wbr"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.update(name for name, _ in attrs)
        self.open.append(tag)
        if tag in ("td", "th", "p", "span"):
            self.texts.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th", "p", "span"):
            self.texts[-1] += data


def parsed(html: str) -> Checker:
    checker = Checker()
    checker.feed(html)
    checker.close()
    assert checker.open == []
    return checker


@every_page
def test_html_is_one_balanced_element_without_scripts(name: str) -> None:
    html = text(page(name), "html")
    found = parsed(html)
    assert set(found.tags) <= {
        *("div", "style", "p", "table", "thead", "tbody", "tr", "th", "td", "details", "summary", "span")
    }
    assert found.attributes <= {"class", "style"}
    assert found.tags.count("style") == 1
    assert not re.search(r"https?:|url\(|@import", html)
    assert not [cell for cell in cells(page(name)) if cell not in found.texts]
    for block in blocks(page(name)):
        if isinstance(block, Text):
            assert not [line for line in block.lines if line not in found.texts]


def test_resnet_50_folds_by_stage_and_block() -> None:
    graph = network("resnet50")
    html = text(inspect.page(graph, costs(graph)), "html")
    assert len(html.encode()) < 100_000
    folds = re.findall(r"<summary><span>(.*?)</span>", html)
    blocks = [
        f"layer{stage}.{block}" for stage, count in enumerate((3, 4, 6, 3), 1) for block in range(count)
    ]
    assert [fold for fold in folds if "." in fold] == blocks
    assert [fold for fold in folds if "." not in fold] == ["layer1", "layer2", "layer3", "layer4"]
    total = html.index(">25,557,032<")
    assert html.rindex("</details>") < total
    inside = (row.figures.params for row in costs(graph).rows if row.node.name.startswith("layer1."))
    sums = f"<span class=r>{exact(summed(inside))}</span>"
    assert f"<span>layer1</span><span>unit x3</span><span>256x56x56</span><span></span>{sums}" in html


def test_rows_within_a_fold_lie_in_it_and_the_others_do_not() -> None:
    names = ["a", "b.0", "b.1.x", "b.1.y", "c"]
    folds = (Fold(1, 4, ("b",)), Fold(2, 4, ("b.1",)))
    table = Table((Column("name", names),), totals=1, folds=lambda: folds)
    html = text(Page("", lambda _: [(table,)], dict), "html")
    shape = re.findall(r"<(/?details)>|<(?:td|span)>(.*?)</", html)
    assert [tag or cell for tag, cell in shape] == [
        *("a", "details", "b", "b.0", "details", "b.1", "b.1.x", "b.1.y", "/details", "/details", "c")
    ]


def test_what_formats_would_interpret_is_escaped() -> None:
    word = "<b>*x*_|`&amp;"
    table = Table((Column(word, [word]),))
    made = Page(
        word, lambda _: [(table, Text((word,)))], lambda: {"schema": word}, Answer((word,), good=None)
    )
    assert parsed(text(made, "html")).texts == [word] * 5
    escaped = "\\<b\\>\\*x\\*\\_\\|\\`<span>&amp;</span>amp;"
    assert text(made, "markdown").count(escaped) == 5
    assert json.loads(text(made, "json")) == {"schema": word}


def test_no_format_pays_for_another() -> None:
    def never(*_: object) -> NoReturn:
        raise AssertionError

    assert text(Page("a", never, lambda: {"schema": "b"}), "json") == '{\n  "schema": "b"\n}\n'
    for form in set(FORMATS) - {"json"}:
        assert "a" in text(Page("a", lambda _: [], never), form)


@pytest.mark.parametrize(
    ("name", "words", "good"),
    [
        ("probe", "2 of 2 predictions measured, all hold", True),
        ("probe wrong", "conv1 does not move as predicted along height", False),
        ("probe not measured", "nothing was measured: none of 2 predictions could be checked", None),
        ("probe nothing", "nothing was measured: no shift of any map is predicted", None),
        ("data without faults", "all images can be read, and none is there twice", True),
        ("check within", "lenet5: within budget (2)", True),
        ("check over", "lenet5: over budget in 1 of 2", False),
        ("check several", "1 of 2 networks over budget", False),
    ],
)
def test_answers(name: str, words: str, good: bool | None) -> None:
    assert page(name).answer == Answer((words,), good)
    assert words in text(page(name), width=80)
    assert parsed(text(page(name), "html")).texts[0 if not page(name).title else 1] == words


@pytest.mark.parametrize(
    ("name", "words", "role"),
    [
        (
            "inspect verified",
            "verify: 40 figures compared with torch and torchinfo, all differences explained",
            "good",
        ),
        ("inspect verified wrong", "verify: 1 of 40 figures differ without a known reason", "error"),
    ],
)
def test_verification_is_part_of_the_page_in_every_format(name: str, words: str, role: str) -> None:
    (verdict,) = (each for each in blocks(page(name)) if isinstance(each, Text) and words in each.lines)
    assert verdict.role == role
    for form in ("table", "markdown", "html"):
        assert words in text(page(name), form)
        assert "torchinfo counts " in text(page(name), form)
    document = json.loads(text(page(name), "json"))
    assert document["schema"] == "cnncli.inspect/1"
    found = document["verify"]
    assert (found["ok"], found["compared"], len(found["differences"])) == (role == "good", 40, 9)
    (total,) = found["totals"]
    assert (total["figure"], total["ours"]) == ("params", 5)


def test_json_of_a_check_says_what_the_table_does() -> None:
    document = json.loads(text(page("check several"), "json"))
    assert document["within"] is False
    lenet, vgg = document["networks"]
    assert (lenet["spec"], lenet["within"], vgg["within"]) == ("lenet5", True, False)
    (macs,) = [each for each in vgg["limits"] if each["figure"] == "macs"]
    assert (macs["limit"], macs["actual"], macs["within"]) == (10**6, 15_470_264_320, False)
    assert macs["heaviest"][0] == {"layer": "features.2", "amount": 64 * 64 * 9 * 224 * 224}
