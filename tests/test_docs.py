"""Generated pages are up to date, and the examples of the documents are what happens when they are typed."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
import torch
from typer._click import Context
from typer._click.exceptions import UsageError
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from cnncli.analysis.specs import catalog
from cnncli.cli.app import application
from cnncli.graph import open_text
from cnncli.language.sections import Paper
from cnncli.layers import KINDS
from cnncli.layers.plugins import load_file
from cnncli.network import build_network
from cnncli.recipe.losses import CrossEntropy
from cnncli.recipe.optimizers import SGD
from cnncli.recipe.schedules import Cosine
from cnncli.recipe.transforms import Crop, Flip
from scripts.make_docs import DOCS, networks_page, pages, with_operations
from scripts.make_picture import PICTURE, picture
from tests.cli.terminal import on_a_terminal
from tests.specs.support import NAMES

ROOT = DOCS.parent


def test_generated_pages_are_up_to_date() -> None:
    for path, text in pages().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is stale: run scripts/make_docs.py"


def test_the_picture_of_the_readme_is_up_to_date() -> None:
    assert PICTURE.read_text(encoding="utf-8") == picture(), "run scripts/make_picture.py"


def test_a_changed_table_is_noticed() -> None:
    text = (DOCS / "counting.md").read_text(encoding="utf-8")
    assert with_operations(text) == text
    stale = text.replace("| `relu` | 1 for each value |", "| `relu` | 2 for each value |")
    assert stale != text
    assert with_operations(stale) == text


def test_the_page_of_networks_has_each_with_its_paper_and_its_file() -> None:
    text = (DOCS / "networks.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (\w+)\n\n(.*?)(?=\n## |\Z)", text, re.DOTALL | re.MULTILINE))
    assert sections.keys() == {Path(name).name for name in NAMES}
    assert re.findall(r"^\| \[(\w+)\]\(#\1\)", text, re.MULTILINE) == list(sections)
    vgg16 = sections["vgg16"]
    assert "*Very deep convolutional networks for large-scale image recognition*, 2014." in vgg16
    assert "- The paper: 138 million parameters (table 2)\n- Here: 138,357,544 parameters" in vgg16
    assert "VGG-16: configuration D (table 1)." in vgg16
    googlenet = "- Here: 6,998,552 parameters (13,378,280 with training-only heads), 1,582,671,872 MACs"
    assert googlenet in sections["googlenet"]
    assert "training-only heads" not in vgg16
    assert "- The paper:" not in sections["alexnet"]
    for link in re.findall(r"\]\((\.\.[^)]*)\)", text):
        assert (DOCS / link).exists()


def test_a_changed_spec_is_noticed() -> None:
    entries = catalog()
    paper = entries[0].paper
    assert paper is not None
    changed = Paper(authors=paper.authors, year=paper.year, title="Another title", figures=paper.figures)
    now, then = networks_page(entries), networks_page((entries[0]._replace(paper=changed), *entries[1:]))
    ((before, after),) = (pair for pair in zip(now, then, strict=True) if pair[0] != pair[1])
    assert after == before.replace(paper.title, "Another title")


def blocks(path: Path, language: str) -> list[str]:
    """The fenced examples of a document in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", path.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def test_the_readmes_spec_is_one() -> None:
    (text,) = blocks(ROOT / "README.md", "yaml")
    opened = open_text(text)
    assert opened.graph.outputs["output"].shape == (10,)
    assert opened.budget.params == 62_000


@pytest.mark.slow
def test_the_recipe_of_the_training_page_is_one() -> None:
    (text,) = blocks(ROOT / "docs" / "training.md", "yaml")
    found = open_text(f"input: [1, 8, 8]\nlayers: [flatten, linear: 10]\n{text}").train
    assert (found.data.source, found.epochs) == ("folder:flowers", 30)
    assert found.task("output").loss == CrossEntropy(smoothing=0.1)
    assert found.transforms == (Crop(padding=4), Flip())
    assert found.optimizer == SGD(lr=0.1, nesterov=True)
    assert found.schedule == Cosine(warmup=2.0)


def test_the_readmes_program_runs(tmp_path: Path) -> None:
    (code,) = blocks(ROOT / "README.md", "python")
    ((expression, value),) = re.findall(r"^(arch\S+)  # (\d+); no torch so far$", code, re.MULTILINE)
    checked = f'import sys\nassert {expression} == {value}\nassert "torch" not in sys.modules\n'
    before, line, after = code.partition("net = ")
    (tmp_path / "readme.py").write_text(f"{before}{checked}{line}{after}")
    subprocess.run([sys.executable, "readme.py"], cwd=tmp_path, check=True)
    assert (tmp_path / "runs" / "lenet5-1").is_dir()


DOCUMENTS = (*sorted(ROOT.glob("*.md")), *sorted(DOCS.glob("*.md")))


def typed(path: Path) -> list[tuple[str, str]]:
    """The commands on shipped specs that a document shows with what they print, and that."""
    found = re.findall(
        r"^    \$ cnncli (.*)\n((?:    .*\n|\n(?=    ))+)", path.read_text("utf-8"), re.MULTILINE
    )
    return [(command, printed) for command, printed in found if ".yaml" not in command]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_files_that_a_document_names_exist(path: Path) -> None:
    named = re.findall(r"`((?:\w+/)+[\w.]+\.(?:py|md|yaml))`", path.read_text("utf-8"))
    places = (ROOT, DOCS, ROOT / "cnncli", ROOT / "specs")
    assert [name for name in named if not any((place / name).exists() for place in places)] == []


EXAMPLES = [pytest.param(*each, id=f"{path.name}: {each[0]}") for path in DOCUMENTS for each in typed(path)]


def test_documents_have_examples() -> None:
    assert len(EXAMPLES) > 5


@pytest.mark.slow
@pytest.mark.parametrize(("command", "printed"), EXAMPLES)
def test_examples_are_what_a_terminal_shows(command: str, printed: str) -> None:
    said = [line.removeprefix("    ") for line in printed.splitlines()]
    assert first_difference(said, on_a_terminal(*command.split())) is None


def bare(path: Path) -> set[str]:
    """The commands that a document shows without their output; forms of commands are not among them."""
    shown = re.findall(r"^    cnncli (.*?)(?: +#.*)?$", path.read_text("utf-8"), re.MULTILINE)
    return {command for command in shown if not re.search(r"\b(?:SPEC|RUN|SOURCE|DIR)\b", command)}


OF_THE_README: Final = bare(ROOT / "README.md")
"""They run in test_readme.py, in their order."""
BARE: Final = sorted(set().union(*map(bare, DOCUMENTS)) - OF_THE_README)


def test_documents_have_commands() -> None:
    assert len(OF_THE_README) > 20
    assert len(BARE) > 10


@pytest.mark.slow
@pytest.mark.parametrize("command", BARE)
def test_commands_of_documents_work(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (spec,) = blocks(ROOT / "README.md", "yaml")
    (tmp_path / "net.yaml").write_text(spec)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(application(), shlex.split(command))
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout


def fenced(path: Path) -> list[str]:
    """The commands in fenced blocks of a document: scripts, and what needs data or machines of a reader."""
    scripts = "".join((*blocks(path, "sh"), *blocks(path, "bash"))).replace("\\\n", " ")
    return [each for each in re.findall(r"\bcnncli (\w.*)", scripts) if "[" not in each]


FENCED = [(path.name, command) for path in sorted(DOCS.glob("*.md")) for command in fenced(path)]


def test_documents_have_scripts() -> None:
    assert len(FENCED) > 5


@pytest.mark.parametrize(("document", "command"), FENCED)
def test_commands_of_scripts_can_be_read(document: str, command: str) -> None:
    program = get_command(application())
    assert isinstance(program, TyperGroup)
    context = Context(program)
    name, chosen, words = program.resolve_command(context, shlex.split(command, comments=True))
    assert chosen is not None, document
    assert chosen.make_context(name, words, parent=context).params


def test_an_option_that_a_command_lacks_is_noticed() -> None:
    with pytest.raises(UsageError, match="--dta"):
        test_commands_of_scripts_can_be_read("", "evaluate runs/a --dta digits")


def first_difference(said: list[str], shown: list[str]) -> str | None:
    """Return the first line of an example that is not the next one shown, or None.

    "..." stands for any number of lines, and an example may end early; blank lines are not compared.
    """
    remaining = [line for line in shown if line.strip()]
    skips = False
    for line in said:
        if not line.strip():
            continue
        if line.strip() == "...":
            skips = True
            continue
        if line not in (remaining if skips else remaining[:1]):
            return line
        del remaining[: remaining.index(line) + 1]
        skips = False
    return None


@pytest.mark.parametrize(
    ("said", "difference"),
    [
        (["a", "b", "c"], None),
        (["a", "", "..", "c"], ".."),
        (["a", "...", "c"], None),
        (["...", "b"], None),
        (["a", "c"], "c"),
        (["b", "a"], "b"),
        (["...", "c", "a"], "a"),
        (["a", "a"], "a"),
        (["a", "b", "c", "d"], "d"),
    ],
)
def test_an_example_in_another_order_is_noticed(said: list[str], difference: str | None) -> None:
    assert first_difference(said, ["a", "", "b", "c"]) == difference


def test_the_plug_in_of_the_documents_works(tmp_path: Path) -> None:
    (code,) = blocks(DOCS / "spec.md", "python")
    file = tmp_path / "documented.py"
    file.write_text(code)
    load_file(str(file))
    try:
        graph = open_text("input: [3]\nlayers: [square]").graph
        module = build_network(graph)
        assert module(torch.tensor([[1.0, -2.0, 3.0]])).tolist() == [[1.0, 4.0, 9.0]]
    finally:
        del KINDS["square"], sys.modules["cnncli_plugin_documented"]
