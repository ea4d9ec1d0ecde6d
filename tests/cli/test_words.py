"""What a stranger's file names can do to a command line: nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cnncli.cli.app import application

SPEC = "input: [1, 8, 8]\nlayers: [flatten, linear: 10]\nbudget: {params: 10}\n"
EVIL = "from pathlib import Path\nPath('ran').touch()\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text(SPEC)
    return tmp_path


def call(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(application(), arguments)
    return result.exit_code, result.stderr


def listed() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


def test_a_file_cannot_be_a_budget() -> None:
    assert call("check", "a.yaml")[0] == 1
    Path("--budget=evil.yaml").touch()
    Path("evil.yaml").write_text("params: 1M\n")
    code, said = call("check", *listed())
    assert code == 2
    assert "'--budget=evil.yaml' is an option, but also the name of a file here" in said
    assert "write '--' before the specs, or './--budget=evil.yaml'" in said


@pytest.mark.parametrize("names", [("--plugin=e.py",), ("--plugin", "e.py")])
@pytest.mark.parametrize("command", ["check", "inspect", "sizes", "memory", "train", "evaluate", "layers"])
def test_a_file_cannot_be_a_plug_in(names: tuple[str, ...], command: str) -> None:
    Path("e.py").write_text(EVIL)
    for name in names:
        if not Path(name).exists():
            Path(name).touch()
    code, said = call(command, *names, "a.yaml")
    assert (code, Path("ran").exists()) == (2, False)
    assert "also the name of a file here" in said
    assert call(command, "a.yaml", *names)[0] == 2
    assert not Path("ran").exists()


def test_a_file_in_a_folder_cannot_be_an_option() -> None:
    Path("--plugin=nets").mkdir()
    Path("--plugin=nets/e.py").write_text(EVIL)
    Path("nets").mkdir()
    Path("nets/e.py").write_text(EVIL)
    assert call("check", "a.yaml", "--plugin=nets/e.py")[0] == 2
    assert not Path("ran").exists()


@pytest.mark.parametrize("name", ["-x.yaml", "--input=1x9x9", "--help", "--version", "-"])
def test_after_two_dashes_and_with_a_folder_a_name_is_a_name(name: str) -> None:
    Path(name).write_text(SPEC)
    path = Path(name).suffix == ".yaml"
    assert call("inspect", name)[0] == 2
    code, said = call("inspect", "--", name)
    assert (code, said) == (0, "")
    assert call("inspect", f"./{name}")[0] == 0
    assert call("check", ".")[0] == 1
    if path:
        Path("a.yaml").unlink()
        assert call("check", ".")[0] == 1


def test_a_name_with_a_dash_is_explained() -> None:
    Path("-x.yaml").write_text(SPEC)
    assert "write '--' before the specs, or './-x.yaml'" in call("check", "-x.yaml")[1]


def test_options_may_follow_a_spec() -> None:
    assert call("inspect", "lenet5", "--format", "json")[0] == 0
    assert call("check", "lenet5", "a.yaml", "--set", "x=1", "--format=json")[0] == 2


@pytest.mark.parametrize("ci", ["true", "1", "yes", "woodpecker"])
@pytest.mark.parametrize(
    "command", ["check a.yaml", "inspect a.yaml", "layers", "sizes a.yaml", "train a.yaml"]
)
def test_plug_ins_need_a_permission_in_ci(command: str, ci: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("e.py").write_text(EVIL)
    monkeypatch.setenv("CI", ci)
    for allowed in (None, "", "0", "false"):
        if allowed is not None:
            monkeypatch.setenv("CNNCLI_ALLOW_PLUGINS", allowed)
        code, said = call(*command.split(), "--plugin", "e.py")
        assert (code, Path("ran").exists()) == (2, False)
        assert "CNNCLI_ALLOW_PLUGINS=1 in the environment" in said


@pytest.mark.parametrize(("ci", "allowed"), [("true", "1"), ("", ""), ("false", ""), ("0", "")])
def test_plug_ins_run_where_they_may(ci: str, allowed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("e.py").write_text(EVIL)
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("CNNCLI_ALLOW_PLUGINS", allowed)
    assert call("layers", "--plugin", "e.py")[0] == 0
    assert Path("ran").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("where", "path"), [(".", ""), (".", "."), ("models", "..")])
def test_what_calls_itself_installed_in_the_working_folder_is_not_run(
    folder: Path, where: str, path: str
) -> None:
    (folder / ".git").mkdir()
    (folder / "models").mkdir()
    (folder / "evil.py").write_text(EVIL)
    info = folder / "evil-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[cnncli.layers]\nevil = evil\n")
    (folder / "b.yaml").write_text("input: [3]\nlayers: [evil]\n")
    for words, code in ((("inspect", str(folder / "b.yaml")), 2), (("layers", "evil"), 2), (("layers",), 0)):
        done = subprocess.run(
            [sys.executable, "-m", "cnncli", *words],
            cwd=where,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code
        assert "plug-ins in the working folder are not loaded: evil" in done.stdout + done.stderr
    assert not (folder / "ran").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("sizes", "a", "\x1b[31mb", "::error::c"),
        ("inspect", "--\x1b[31m"),
        ("\x1b[31m",),
        ("inspect", "lenet5", "--format", "\x1b[31m\u202e"),
        ("inspect", "lenet5", "--depth", "\x1b[31m\n::error::x"),
        ("check", ""),
    ],
    ids=str,
)
def test_mistakes_in_the_words_are_said_as_all_others_are(arguments: tuple[str, ...]) -> None:
    code, said = call(*arguments)
    assert code == 2
    assert said.startswith("error: ")
    assert all(line.isprintable() for line in said.splitlines())
    assert not any(line.lstrip().startswith("::") for line in said.splitlines())


@pytest.mark.parametrize("command", ["inspect", "check", "sizes", "memory", "fit --vary x", "train", "probe"])
def test_an_empty_word_is_not_taken_for_a_folder(command: str) -> None:
    code, said = call(*command.split(), "")
    assert code == 2
    assert "is empty" in said
    assert "folder" not in said
