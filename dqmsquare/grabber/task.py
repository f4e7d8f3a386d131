"""A piece of work under way in a thread of its own."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Task(Generic[T]):
    """Does `work` from now on; a process that ends does not wait for it."""

    def __init__(self, name: str, work: Callable[[], T]) -> None:
        self._work = work
        self._outcome: list[T] = []
        self._error: Exception | None = None
        self._done = threading.Event()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    @property
    def done(self) -> bool:
        """Whether `result` has something to say at once."""
        return self._done.is_set()

    @property
    def succeeded(self) -> bool:
        """Whether it is done and `result` raises nothing."""
        return self.done and self._error is None

    def wait(self, seconds: float) -> bool:
        """Whether it is done, at the latest after so long."""
        return self._done.wait(seconds)

    def result(self) -> T:
        """What came of it, waited for. Raises what went wrong."""
        self._done.wait()
        if self._error is not None:
            raise self._error
        return self._outcome[0]

    def _run(self) -> None:
        try:
            self._outcome.append(self._work())
        except Exception as error:  # noqa: BLE001  (handed to whoever asks for the result)
            self._error = error
        finally:
            self._done.set()
