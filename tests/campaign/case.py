"""A case of the campaign: files, and the command that reads them."""

from __future__ import annotations

import base64
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

FORMAT = "--format"
FORMATS = ("table", "json", "markdown", "html")

SPEC = "net.yaml"
"""The spec of a case; the commands are run in the folder that contains it."""


class Case(NamedTuple):
    """Files by their paths, and the words after ``cnncli``."""

    files: Mapping[str, bytes]
    arguments: tuple[str, ...]
    error: str = ""
    """The traceback of the campaign itself, if it could not make the case."""

    @property
    def command(self) -> str:
        """The command of the case; empty if it names none."""
        return self.arguments[0] if self.arguments else ""

    @property
    def form(self) -> str:
        """The format that is asked for, by the last ``--format``."""
        forms = [
            after for word, after in zip(self.arguments, self.arguments[1:], strict=False) if word == FORMAT
        ]
        return forms[-1] if forms and forms[-1] in FORMATS else "table"

    @property
    def text(self) -> str:
        """The text of the spec."""
        return self.files.get(SPEC, b"").decode("utf-8", "replace")

    def with_text(self, text: str) -> Case:
        return self._replace(files={**self.files, SPEC: text.encode("utf-8", "surrogatepass")})

    def write(self, folder: Path) -> None:
        """Make the folder hold the files of the case and nothing else."""
        for entry in folder.iterdir():
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        for name, content in self.files.items():
            path = folder / name
            if "/" in name:
                path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def script(self) -> str:
        """Return a shell script that writes the files and runs the command."""
        folders = sorted({str(Path(name).parent) for name in self.files} - {"."})
        lines = [f"mkdir -p {shlex.quote(folder)}" for folder in folders]
        for name, content in self.files.items():
            encoded = base64.b64encode(content).decode()
            lines.append(f"base64 -d > {shlex.quote(name)} <<'END'\n{encoded}\nEND")
        return "\n".join([*lines, f"cnncli {shlex.join(self.arguments)}", ""])
