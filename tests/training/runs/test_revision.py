"""The git revision of a spec, beside git itself; a repository from a stranger runs nothing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

import cnncli
from cnncli.results.runs import Revision
from cnncli.training.runs.revision import revision_of
from cnncli.training.runs.run import open_run

SPEC = "input: [1, 8, 8]\nlayers: [flatten, linear: 10]\ntrain: {epochs: 1, batch: 500}\n"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "repository"
    (folder / "nets").mkdir(parents=True)
    (folder / "nets" / "base.yaml").write_text(SPEC)
    (folder / "nets" / "net.yaml").write_text("extends: base.yaml\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in [each for each in os.environ if each.startswith("GIT_")]:
        monkeypatch.delenv(name)
    git(folder, "init", "-q")
    return folder


def git(folder: Path, *words: str) -> str:
    author = ("-c", "user.name=a", "-c", "user.email=a@b")
    done = subprocess.run(["git", *author, "-C", folder, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(folder: Path) -> str:
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "a")
    return git(folder, "rev-parse", "HEAD")


def test_the_commit_and_what_has_changed_since(repository: Path) -> None:
    net, base = repository / "nets" / "net.yaml", repository / "nets" / "base.yaml"
    assert revision_of([net, base]) is None  # nothing is committed
    first = commit(repository)
    (repository / "other.txt").write_text("of no importance")
    assert revision_of([net, base]) == Revision(first, dirty=False)
    base.write_text(f"{SPEC}# more\n")
    assert revision_of([net, base]) == Revision(first, dirty=True)
    assert revision_of([net]) == Revision(first, dirty=False)
    second = commit(repository)
    assert revision_of([net, base]) == Revision(second, dirty=False)
    base.write_bytes(base.read_bytes().replace(b"\n", b"\r\n"))
    assert revision_of([base]) == Revision(second, dirty=False)
    (repository / "nets" / "-new *.yaml").write_text(SPEC)
    assert revision_of([repository / "nets" / "-new *.yaml"]) == Revision(second, dirty=True)
    assert str(Revision(second, dirty=True)) == f"{second[:12]} and changes"


def test_a_run_records_it(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    first = commit(repository)
    (repository / "nets" / "base.yaml").write_text(SPEC.replace("500", "400"))
    cnncli.load("nets/net.yaml").begin(run=tmp_path / "a", device="cpu")
    cnncli.loads(SPEC).begin(run=tmp_path / "b", device="cpu")
    cnncli.load("toy_classifier").begin(run=tmp_path / "c", device="cpu")
    found = {name: open_run(tmp_path / name).record.revision for name in "abc"}
    assert found == {"a": Revision(first, dirty=True), "b": None, "c": None}
    differences = cnncli.compare_runs(tmp_path / "a", tmp_path / "b").spec
    assert differences == {"git revision": (f"{first[:12]} and changes", None)}


def test_a_repository_of_a_stranger_runs_nothing(repository: Path, tmp_path: Path) -> None:
    first = commit(repository)
    ran = tmp_path / "ran"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {ran}\ncat\n")
    program.chmod(0o755)
    for name in ("core.fsmonitor", "filter.x.clean", "filter.x.smudge", "core.pager", "diff.external"):
        git(repository, "config", name, str(program))
    for hook in ("post-index-change", "reference-transaction", "pre-auto-gc"):
        (repository / ".git" / "hooks" / hook).write_text(program.read_text())
        (repository / ".git" / "hooks" / hook).chmod(0o755)
    (repository / ".gitattributes").write_text("*.yaml filter=x\n")
    os.utime(repository / "nets" / "net.yaml")
    assert revision_of([repository / "nets" / "net.yaml"]) == Revision(first, dirty=False)
    assert not ran.exists()
    git(repository, "status")  # which would have
    assert ran.exists()


@pytest.mark.parametrize("script", ["exit 1", "echo nothing", "printf '\\377'", "sleep 9"])
def test_nothing_fails_where_git_does(
    repository: Path, tmp_path: Path, script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = repository / "nets" / "net.yaml"
    commit(repository)
    program = tmp_path / "git"
    program.write_text(f"#!/bin/sh\n{script.replace('sleep', 'exec sleep')}\n")
    program.chmod(0o755)
    monkeypatch.setattr("cnncli.training.runs.revision._SECONDS", 0.1)
    monkeypatch.setattr("cnncli.training.runs.revision.shutil.which", lambda _: str(program))
    assert revision_of([net]) is None
    monkeypatch.setattr("cnncli.training.runs.revision.shutil.which", lambda _: None)
    assert revision_of([net]) is None
    assert revision_of([tmp_path / "nowhere.yaml"]) is None
