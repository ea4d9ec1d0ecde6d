"""How much memory there is: of the machine, of a container or a job, of a limit of the shell."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnncli.diagnostics import UsageError
from cnncli.training.data import room
from cnncli.training.data.room import Room, available_memory

MEMINFO = "MemTotal:       16000000 kB\nMemAvailable:    8000000 kB\n"
MACHINE = 8000000 * 1024


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A system's files: 8,000,000 KiB available, no control groups."""
    monkeypatch.setattr(room, "_PROC", tmp_path / "proc")
    monkeypatch.setattr(room, "_CGROUPS", tmp_path / "cgroup")
    write(tmp_path, {"proc/meminfo": MEMINFO})
    return tmp_path


def write(root: Path, files: dict[str, object]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n", encoding="ascii")


def test_of_the_machine(system: Path) -> None:
    assert available_memory() == MACHINE
    write(system, {"proc/self/cgroup": "0::/"})
    assert available_memory() == MACHINE


def test_of_a_job(system: Path) -> None:
    """Version 2: the tightest of the group and its parents; caches that can be freed are not used up."""
    write(
        system,
        {
            "proc/self/cgroup": "0::/slurm/job_7",
            "cgroup/slurm/memory.max": 4000,
            "cgroup/slurm/memory.current": 3500,
            "cgroup/slurm/memory.stat": "anon 3000\ninactive_file 400",
            "cgroup/slurm/job_7/memory.max": "max",
            "cgroup/slurm/job_7/memory.current": 100,
        },
    )
    assert available_memory() == 4000 - 3500 + 400
    write(system, {"cgroup/slurm/job_7/memory.max": 150})
    assert available_memory() == 50


def test_of_a_container(system: Path) -> None:
    """Version 1, with the host's path in /proc: only the root is visible."""
    write(
        system,
        {
            "proc/self/cgroup": "12:pids:/docker/ab\n4:cpuacct,memory:/docker/ab\n",
            "cgroup/memory/memory.limit_in_bytes": 10000,
            "cgroup/memory/memory.usage_in_bytes": 9000,
            "cgroup/memory/memory.stat": "cache 7\ninactive_file 2\ntotal_inactive_file 5",
        },
    )
    assert available_memory() == 1005
    write(system, {"cgroup/memory/memory.usage_in_bytes": 12000})
    assert available_memory() == 0
    write(system, {"cgroup/memory/memory.limit_in_bytes": 9223372036854771712})
    assert available_memory() == MACHINE


def test_of_a_shell(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``ulimit -v`` and ``ulimit -d``."""
    resource = pytest.importorskip("resource")
    page = os.sysconf("SC_PAGE_SIZE")
    write(system, {"proc/self/statm": "1000 500 100 1 0 400 0"})
    assert available_memory() == MACHINE
    limits = {resource.RLIMIT_AS: 3000 * page, resource.RLIMIT_DATA: resource.RLIM_INFINITY}
    monkeypatch.setattr(resource, "getrlimit", lambda which: (limits[which], resource.RLIM_INFINITY))
    assert available_memory() == 2000 * page
    limits[resource.RLIMIT_DATA] = 1900 * page
    assert available_memory() == 1500 * page


LIMITED = """
import resource, sys
from pathlib import Path
from cnncli.diagnostics import CnncliError
from cnncli.recipe.data import Data
from cnncli.training.data.load import load

size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + 2**29, resource.RLIM_INFINITY))
for source in sys.argv[1:]:
    try:
        load(Data(source=source), (1, 32, 32))
    except CnncliError as error:
        print(error)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the address space is that of Linux")
def test_a_limit_of_the_shell_is_kept_by_every_source(tmp_path: Path) -> None:
    for part, count in (("train", 2**20), ("t10k", 1)):
        with (tmp_path / f"{part}-images-idx3-ubyte").open("wb") as file:
            file.write(struct.pack(">4B3I", 0, 0, 8, 3, count, 32, 32))
            file.truncate(16 + count * 2**10)  # a hole: it takes no room on the disk
        labels = struct.pack(">4BI", 0, 0, 8, 1, count) + bytes(count)
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(labels)
    zeros = np.zeros((2**18, 64, 64), dtype=np.bool_)
    np.savez_compressed(tmp_path / "a.npz", x_train=zeros, y_train=[0], x_test=zeros[:1], y_test=[0])
    for name in ("a", "b"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(2):
            Image.new("1", (11_000, 11_000)).save(tmp_path / "pictures" / name / f"{number}.png")
    sources = [f"idx:{tmp_path}", f"npz:{tmp_path / 'a.npz'}", f"folder:{tmp_path / 'pictures'}"]
    command = [sys.executable, "-c", LIMITED, *sources]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3])
    assert done.stderr == ""
    idx, npz, *pictures = done.stdout.splitlines()
    assert "1048576x32x32 bytes would take 1.0 GiB of memory" in idx
    assert "unpacked, would take 1.0 GiB of memory" in npz
    assert len(pictures) == 4
    assert all("decoding 11000 x 11000 pixels would take " in line for line in pictures)


def test_room_is_shared() -> None:
    """Of four threads that need a third each, never more than three are inside."""
    shared, inside, most = Room(300), [0], [0]
    lock, three = threading.Lock(), threading.Barrier(3)

    def work(waits: bool) -> None:
        with shared.reserved(100, "a picture"):
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            if waits:
                three.wait(60)
            with lock:
                inside[0] -= 1

    threads = [threading.Thread(target=work, args=(number < 3,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (inside, most) == ([0], [3])


def test_what_never_fits_is_refused_and_nothing_stays_reserved() -> None:
    shared = Room(300)
    with pytest.raises(UsageError, match="a picture would take 301 bytes of memory"):
        shared.reserved(301, "a picture").__enter__()
    with pytest.raises(KeyError), shared.reserved(300, "a picture"):
        raise KeyError
    with shared.reserved(300, "a picture"):
        pass
    with Room(None).reserved(2**60, "anything"):
        pass
