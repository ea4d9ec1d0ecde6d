"""Which files are read, and which are never shown: a stranger's checkout may contain links and pipes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cnncli.diagnostics import CnncliError
from cnncli.graph import open_spec, read_budget
from cnncli.language import shipped
from tests.hostile import Answer, ask

SPEC = "input: [1, 8, 8]\nlayers: [relu]\n"
TOKEN = "0123456789abcdef"  # noqa: S105 - it only looks like one
SECRET = f"[http]\n    header = AUTHORIZATION: basic {TOKEN}\nname: {TOKEN}\n"
OUTSIDE = "is outside of the folder of this spec"


def extend(path: Path, base: str) -> None:
    path.write_text(f"extends: {base}\n", encoding="utf-8")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository beside a folder with secrets, and the working directory in it."""
    for path, text in {
        "secret/token.yaml": SECRET,
        "secret/key": SECRET,
        "secret/net.yaml": SPEC,
        "repo/.git/config": SECRET,
        "repo/base.yaml": SPEC,
        "repo/models/net.yaml": SPEC,
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path / "repo")
    return tmp_path / "repo"


def message(path: str | Path) -> str:
    """What is said about a spec that cannot be opened, the texts that it quotes included."""
    with pytest.raises(CnncliError) as caught:
        open_spec(path)
    quoted = "".join(each.location.source.text for each in caught.value.diagnostics if each.location)
    return f"{caught.value}\n{quoted}"


class TestExtending:
    def test_a_file_of_the_repository(self, checkout: Path) -> None:
        extend(checkout / "models" / "child.yaml", "../base.yaml")
        assert len(open_spec("models/child.yaml").graph.nodes) == 1

    @pytest.mark.parametrize("file", ["net.yaml", "token.yaml", "tokens.yaml"])
    def test_nothing_outside_of_it(self, checkout: Path, file: str) -> None:
        extend(checkout / "models" / "child.yaml", f"../../secret/{file}")
        said = message("models/child.yaml")
        assert f"models/child.yaml:1:10: '../../secret/{file}' {OUTSIDE}" in said
        assert TOKEN not in said
        assert "did you mean" not in said

    def test_a_working_directory_that_contains_both_is_permission(
        self, checkout: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        extend(checkout / "models" / "child.yaml", "../../secret/net.yaml")
        monkeypatch.chdir(checkout.parent)
        assert len(open_spec("repo/models/child.yaml").graph.nodes) == 1

    def test_without_a_repository_the_folder_of_the_spec(
        self, checkout: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (checkout / ".git").rename(checkout / "git")
        extend(checkout / "models" / "beside.yaml", "net.yaml")
        extend(checkout / "models" / "above.yaml", "../base.yaml")
        monkeypatch.chdir(checkout.parent / "secret")
        assert open_spec(checkout / "models" / "beside.yaml").graph.nodes
        assert OUTSIDE in message(checkout / "models" / "above.yaml")

    @pytest.mark.parametrize("target", ["../secret/net.yaml", "../secret/token.yaml", "/etc/passwd"])
    def test_no_link_out_of_it(self, checkout: Path, target: str) -> None:
        (checkout / "link.yaml").symlink_to(target)
        extend(checkout / "child.yaml", "link.yaml")
        said = message("child.yaml")
        assert f"'link.yaml' {OUTSIDE}" in said
        assert TOKEN not in said
        assert "root:" not in said

    @pytest.mark.parametrize("is_link", [True, False])
    def test_what_is_not_a_spec_is_not_quoted(self, checkout: Path, is_link: bool) -> None:
        if is_link:
            (checkout / "conf.yaml").symlink_to(".git/config")
        else:
            (checkout / "conf.yaml").write_text(SECRET, encoding="utf-8")
        extend(checkout / "child.yaml", "conf.yaml")
        said = message("child.yaml")
        assert "child.yaml:1:10: 'conf.yaml' is not a spec" in said
        assert TOKEN not in said

    def test_a_spec_with_an_error_is_quoted(self, checkout: Path) -> None:
        (checkout / "bad.yaml").write_text(SPEC.replace("relu", "rellu"), encoding="utf-8")
        extend(checkout / "child.yaml", "bad.yaml")
        assert "bad.yaml:2:10: unknown kind of layer 'rellu'" in message("child.yaml")

    def test_the_files_are_counted_together(self, checkout: Path) -> None:
        for number in range(4):
            base = f"extends: n{number + 1}.yaml\n" if number < 3 else SPEC
            (checkout / f"n{number}.yaml").write_text(f"{base}# {'x' * 300_000}\n", encoding="utf-8")
        assert open_spec("n1.yaml").graph.nodes
        said = message("n0.yaml")
        assert "n2.yaml:1:10: 'n3.yaml' is too large (expected at most 1 MiB, the files that" in said


class TestNamed:
    @pytest.mark.parametrize(
        "target", ["../secret/token.yaml", "../secret/key", ".git/config", "/etc/passwd"]
    )
    @pytest.mark.parametrize("read", [open_spec, read_budget])
    def test_a_link_to_what_is_not_a_spec_is_not_quoted(
        self, checkout: Path, target: str, read: Callable[[str], object]
    ) -> None:
        (checkout / "link.yaml").symlink_to(target)
        (checkout / "folder").symlink_to(Path(target).parent)
        for path in ("link.yaml", f"folder/{Path(target).name}", str(checkout / "link.yaml")):
            with pytest.raises(CnncliError, match=r"is a link to a file (that|outside)") as caught:
                read(path)
            assert all(each.location is None for each in caught.value.diagnostics)
            assert TOKEN not in str(caught.value)

    def test_a_link_to_a_spec_is_read(self, checkout: Path) -> None:
        (checkout / "link.yaml").symlink_to("models/net.yaml")
        (checkout / "budget.yaml").symlink_to("limits.yaml")
        (checkout / "limits.yaml").write_text("params: 3k\n", encoding="utf-8")
        assert open_spec("link.yaml").graph.nodes
        assert read_budget("budget.yaml").params == 3000

    @pytest.mark.parametrize("read", [open_spec, read_budget])
    @pytest.mark.parametrize("text", [f"vars: {{a: {TOKEN}}}\nmemory: {TOKEN}\n{TOKEN}: 1\n", SPEC])
    def test_no_link_leads_out_whatever_is_there(
        self, checkout: Path, text: str, read: Callable[[str], object]
    ) -> None:
        (checkout.parent / "secret" / "playbook.yaml").write_text(text, encoding="utf-8")
        (checkout.parent / "secret" / ".git").mkdir()
        (checkout / "link.yaml").symlink_to("../secret/playbook.yaml")
        (checkout / "folder").symlink_to("../secret")
        for path in ("link.yaml", "folder/playbook.yaml", str(checkout / "link.yaml")):
            with pytest.raises(CnncliError, match="is a link to a file outside of its folder") as caught:
                read(path)
            assert all(each.location is None for each in caught.value.diagnostics)
            assert TOKEN not in str(caught.value)

    def test_a_link_to_another_folder_of_the_repository(
        self, checkout: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (checkout / "models" / "link.yaml").symlink_to("../base.yaml")
        for folder, path in (
            ("models", "link.yaml"),
            (".", "models/link.yaml"),
            ("../secret", "../repo/models/link.yaml"),
        ):
            monkeypatch.chdir(checkout / folder)
            assert open_spec(path).graph.nodes

    @pytest.mark.parametrize("text", ["{input: [1], layers: [relu]}", '{ "input": [1], layers: [relu]}'])
    def test_a_spec_in_braces_is_a_spec(self, checkout: Path, text: str) -> None:
        (checkout / "net.yaml").write_text(text, encoding="utf-8")
        (checkout / "link.yaml").symlink_to("net.yaml")
        assert open_spec("link.yaml").graph.nodes

    def test_a_file_that_a_person_names_is_quoted(self, checkout: Path) -> None:
        assert f"name: {TOKEN}" in message(checkout.parent / "secret" / "token.yaml")


class TestStreams:
    """In a process of its own: what waits does not end."""

    @staticmethod
    def check_refused(answer: Answer) -> None:
        assert answer.code == 2
        assert "is not a regular file" in answer.errors
        assert "received: a pipe" in answer.errors

    @pytest.mark.parametrize("word", ["x.yaml", "*.yaml", "./**/x.*", "child/net.yaml"])
    def test_a_pipe(self, tmp_path: Path, word: str) -> None:
        os.mkfifo(tmp_path / "x.yaml")
        (tmp_path / "child").mkdir()
        extend(tmp_path / "child" / "net.yaml", "../x.yaml")
        self.check_refused(ask("check", word, folder=tmp_path))

    @pytest.mark.parametrize("word", ["x.yaml", "*.yaml"])
    def test_a_link_to_standard_input(self, tmp_path: Path, word: str) -> None:
        (tmp_path / "x.yaml").symlink_to("/dev/stdin")
        self.check_refused(ask("check", word, folder=tmp_path, given=SPEC.encode()))

    def test_standard_input_by_its_name(self, tmp_path: Path) -> None:
        answer = ask("inspect", "/dev/stdin", folder=tmp_path, given=SPEC.encode())
        assert answer.code == 0
        assert "relu" in answer.output

    def test_paths_that_double_at_each_level(self, tmp_path: Path) -> None:
        (tmp_path / "models").mkdir()
        (tmp_path / "models" / "net.yaml").write_text(f"{SPEC}budget: {{params: 1}}\n", encoding="utf-8")
        for name in ("a", "b"):
            (tmp_path / "models" / name).symlink_to(".")
        answer = ask("check", "models/**/*.yaml", folder=tmp_path)
        assert answer.code == 0
        assert answer.output.count("within budget") == 1


@pytest.mark.parametrize("name", sorted(shipped.specs()))
def test_every_shipped_spec_can_be_extended_from_anywhere(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.yaml").write_text(f"extends: {name}\n")
    assert open_spec("net.yaml").graph.nodes
