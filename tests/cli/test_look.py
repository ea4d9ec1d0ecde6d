"""``cnncli features``, ``similar`` and ``look``: the page of the documents as it is typed, and as JSON."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from cnncli.cli.app import application
from cnncli.cli.exit_codes import OK, WRONG
from scripts.make_docs import DOCS

pytestmark = pytest.mark.slow  # all of them need the commands of the page

PAGE = (DOCS / "look.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def typed(command: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(application(), shlex.split(command)[1:], env={"COLUMNS": "80"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The folder in which all commands of the page were typed, and what they printed."""
    folder, printed = tmp_path_factory.mktemp("page"), {}
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        for language, text in BLOCKS:
            for command in text.splitlines() if language == "sh" else ():
                code, out, errors = typed(command)
                assert (code, errors) == (OK, ""), command
                printed[command] = out
    return folder, printed


def test_the_page_works(
    page: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, printed = page
    assert len(printed) == 13
    for command, out in printed.items():
        assert all(len(line) <= 80 for line in out.splitlines()), command
        if " -o " in command:
            name = command.rpartition(" ")[2]
            assert (folder / name).stat().st_size > 1000, command
            assert f"to {name}" in out, command
            if name.endswith(".png"):
                Image.open(folder / name).verify()
    monkeypatch.chdir(folder)
    (code,) = [text for language, text in BLOCKS if language == "python"]
    exec(code, {})  # noqa: S102 - the example of the page
    assert int(capsys.readouterr().out.removesuffix("%\n")) > 80


def test_documents_in_json(page: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, printed = page
    monkeypatch.chdir(folder)
    found = json.loads(typed("cnncli similar digits test:0 --in train.npz --neighbors 3 --format json")[1])
    assert found["schema"] == "cnncli.similar/1"
    (query,) = found["queries"]
    assert [each["distance"] for each in query["neighbors"]] == sorted(
        each["distance"] for each in query["neighbors"]
    )
    table = printed["cnncli similar digits test:0 --in train.npz --neighbors 3"]
    for each in query["neighbors"]:
        assert f"{each['distance']:.5g}" in table
    found = json.loads(typed("cnncli look gradient digits test:5 --format json -o json.png")[1])
    assert (found["schema"], found["what"], found["rows"][0]["image"]) == (
        "cnncli.look/1",
        "gradient",
        "test:5",
    )
    found = json.loads(typed("cnncli features digits digits -o json.npz --format json")[1])
    assert (found["schema"], found["images"], found["values"]) == ("cnncli.features/1", 359, 64)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("features digits digits -o test.npz", "test.npz exists"),
        ("features digits gone.png -o x.npz", "gone.png: no such file"),
        ("features digits . -o x.npz --split test", "files have no parts"),
        ("features nothing digits -o x.npz", "nothing is not a run"),
        ("features digits digits -o x.npz --layer conv3", "did you mean 'conv2'"),
        ("similar digits test:0 --in test.npz --layer conv1", "features of another layer"),
        ("similar digits test:0 --in pooled.parquet --pool max", "pooled by mean"),
        ("similar digits test:0 --in fig4.png -o x.jpg", "does not end in .svg or .png"),
        ("look filters digits", "missing option"),
        ("look filters digits -o nothing/x.png", "no such folder"),
        ("look weights digits -o x.png", "filters, maps, patches, occlusion, gradcam or gradient"),
    ],
)
def test_mistakes(
    command: str, message: str, page: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = page
    monkeypatch.chdir(folder)
    before = sorted(folder.iterdir())
    code, _, errors = typed(f"cnncli {command}")
    assert (code, message in " ".join(errors.split())) == (WRONG, True), errors
    assert sorted(folder.iterdir()) == before


def test_a_file_that_cannot_be_read_is_left_out(
    page: tuple[Path, dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = page
    monkeypatch.chdir(tmp_path)
    Image.new("L", (8, 8)).save("good.png")
    Path("bad.png").write_text("no image")
    code, out, errors = typed(f"cnncli features {folder / 'digits'} good.png bad.png -o x.npz")
    assert (code, "features of 1 image" in out, "bad.png" in errors) == (WRONG, True, True)
    assert Path("x.npz").exists()
