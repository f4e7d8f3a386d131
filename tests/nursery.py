"""Grabbers in no time: forked from one process that has imported everything, each with settings of its own.

`python -m tests.nursery` is that process: a line of JSON in, a line of JSON out.
"""

import atexit
import json
import os
import select
import signal
import subprocess
import sys
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grabber

ROOT = Path(__file__).resolve().parent.parent


class Nursling:
    """A grabber that was forked."""

    def __init__(self, nursery: "Nursery", pid: int, output: Path) -> None:
        self._nursery = nursery
        self._descriptor = os.pidfd_open(pid)
        self._is_over = False
        self.pid = pid
        self.output = output

    def said(self) -> str:
        return self.output.read_text(errors="replace")

    def has_said(self, words: str) -> bool:
        return words in self.said()

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def wait(self, seconds: float = 15.0) -> int:
        """The exit status, -9 for one that was killed. Raises TimeoutError."""
        poller = select.poll()
        poller.register(self._descriptor, select.POLLIN)
        if not poller.poll(1000 * seconds):
            raise TimeoutError(f"process {self.pid} did not end within {seconds:g} s")
        self._is_over = True
        os.close(self._descriptor)
        return int(self._nursery.ask({"wait": self.pid}))

    def kill(self) -> None:
        """Ends it at once, if it has not ended yet."""
        if not self._is_over:
            signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)
            self.wait()


class Nursery:
    """The process they are forked from, for as long as the block lasts."""

    def __enter__(self) -> Self:
        self._nurslings: list[Nursling] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.nursery"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for nursling in self._nurslings:
            nursling.kill()
        self._process.communicate(timeout=20)

    def start(self, environ: dict[str, str], output: Path, *arguments: str) -> Nursling:
        """Does what `python grabber.py ARGUMENTS` does."""
        output.touch()
        question = {"environ": environ, "arguments": arguments, "output": str(output)}
        nursling = Nursling(self, int(self.ask(question)), output)
        self._nurslings.append(nursling)
        return nursling

    def ask(self, question: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


def _be_grabber(environ: dict[str, str], arguments: list[str], output: str) -> int:
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for number in (1, 2):
        os.dup2(descriptor, number)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv = ["grabber.py", *arguments]
    try:
        return grabber.main()
    except SystemExit as error:
        return int(error.code or 0)
    except Exception:  # noqa: BLE001  (what the interpreter does with it)
        traceback.print_exc()
        return 1


def _answer(question: dict[str, Any]) -> int:
    if "wait" in question:
        return os.waitstatus_to_exitcode(os.waitpid(question["wait"], 0)[1])
    pid = os.fork()
    if pid == 0:
        status = _be_grabber(question["environ"], question["arguments"], question["output"])
        atexit._run_exitfuncs()  # the log's queue is emptied
        os._exit(status)
    return pid


def main() -> None:
    for line in sys.stdin:
        answer = _answer(json.loads(line))
        print(answer, flush=True)


if __name__ == "__main__":
    main()
