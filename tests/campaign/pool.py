"""Worker processes: chunks are given out in order, and a case that ends its worker is reported for it."""

from __future__ import annotations

import os
import selectors
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn, TypeAlias

from tests.campaign.judge import FAULTY, Fault, innermost
from tests.campaign.produce import produce
from tests.campaign.sandbox import OVER_TIME, WAITING, Limits, Program
from tests.campaign.worker import Chunk, Report, from_line, stack_file, work

Run: TypeAlias = Callable[[Chunk, Path, int], None]

ENDINGS = {OVER_TIME: "time", WAITING: "waiting", signal.SIGXCPU: "time", signal.SIGKILL: "killed"}
"""What it means if a case ends its process by a signal; any other is a crash."""


class _Worker:
    """A process that runs the rest of a chunk."""

    def __init__(self, chunk: Chunk, folder: Path, run: Run) -> None:
        self.chunk, self.folder, self._run = chunk, folder, run
        self.next = chunk.start
        self._buffer = b""
        self._start()

    def _start(self) -> None:
        self.pipe, end = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            self._in_child(end)
        os.close(end)

    def _in_child(self, pipe: int) -> NoReturn:
        try:
            self._run(self.chunk._replace(start=self.next), self.folder, pipe)
        except BaseException:  # noqa: BLE001 -- a mistake of the campaign itself, shown like a crash
            stack_file(self.folder).write_text(traceback.format_exc(), encoding="utf-8")
            os._exit(1)
        os._exit(0)

    def reports(self) -> Iterator[Report]:
        """Yield what has arrived since, and for a process that has ended what it ended with."""
        data = os.read(self.pipe, 65536)
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            report = from_line(line)
            self.next = report.number + 1
            yield report
        if not data:
            _, status = os.waitpid(self.pid, 0)
            self._buffer = b""
            self.pid = 0
            if self.next < self.chunk.stop:
                yield self._ended(status)
                self.next += 1

    def _ended(self, status: int) -> Report:
        case = produce(self.next, self.chunk.material)
        fault = ended(status, stack_file(self.folder))
        return Report(self.next, case.command, case.form, FAULTY, 0.0, (fault,))

    def again(self) -> bool:
        """Run what is left of the chunk in a new process; return whether anything is."""
        os.close(self.pipe)
        if self.next < self.chunk.stop:
            self._start()
            return True
        return False

    def stop(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            os.close(self.pipe)


def ended(status: int, stack: Path) -> Fault:
    """Return the fault of a case with which a process has ended."""
    text = stack.read_text("utf-8", "replace") if stack.exists() else ""
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    kind = ENDINGS.get(signal.Signals(number), "crash") if number else "crash"
    name = signal.Signals(number).name if number else f"exit code {os.waitstatus_to_exitcode(status)}"
    # faulthandler writes the innermost call first.
    lines = [line for line in text.splitlines() if line.startswith("  File")]
    inner = innermost("\n".join(reversed(lines)))
    return Fault(kind, f"{name} in {inner}", "\n".join(lines[:25]) or text[-3000:])


def run_chunks(chunks: Sequence[Chunk], jobs: int, folder: Path, run: Run) -> Iterator[Report]:
    """Run chunks in several processes at once; yield the reports as they arrive."""
    waiting = [*reversed(chunks)]
    with selectors.DefaultSelector() as selector, _stopped() as workers:

        def add(worker: _Worker) -> None:
            workers.append(worker)
            selector.register(worker.pipe, selectors.EVENT_READ, worker)

        for lane in range(min(jobs, len(chunks))):
            add(_Worker(waiting.pop(), folder / f"lane-{lane}", run))
        while workers:
            for key, _ in selector.select():
                worker: _Worker = key.data
                yield from worker.reports()
                if worker.pid:
                    continue
                # Before the pipe is closed: processes that were started meanwhile have copies of it, so the
                # kernel would keep it registered, and report events of the number that the next pipe gets.
                selector.unregister(key.fd)
                workers.remove(worker)
                if worker.again():
                    add(worker)
                elif waiting:
                    add(_Worker(waiting.pop(), worker.folder, run))


@contextmanager
def _stopped() -> Iterator[list[_Worker]]:
    """Stop the processes that are left if an exception ends the block."""
    workers: list[_Worker] = []
    try:
        yield workers
    finally:
        for worker in workers:
            worker.stop()


def runner(program: Program, limits: Limits) -> Run:
    """Return what a worker runs."""
    return lambda chunk, folder, pipe: work(chunk, program, folder, pipe, limits)
