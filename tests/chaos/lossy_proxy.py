"""A socket in front of PostgreSQL's that may lose the answer to a COMMIT: nobody then knows whether it was done."""

import asyncio
import contextlib
import re
import threading
from pathlib import Path
from typing import Self

SOCKET = ".s.PGSQL.5432"
_OF_BATCH = re.compile(rb"INSERT INTO mirror\.(?:jobs|host_disks|host_memory) ")
_COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"


class LossyProxy:
    """Listens in `folder` for as long as the block lasts; the real socket is in `behind`."""

    def __init__(self, folder: Path, behind: str) -> None:
        self._folder = folder
        self._behind = f"{behind}/{SOCKET}"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="lossy proxy", daemon=True)
        self._lock = threading.Lock()
        self._n_to_lose = 0
        self._of_batches = False
        self.n_lost = 0

    def lose(self, n: int, *, of_batches: bool) -> None:
        """The answers to the next `n` COMMITs are lost, with their connections; or to those of batches alone."""
        with self._lock:
            self._n_to_lose, self._of_batches = n, of_batches

    def has_lost(self, n: int) -> bool:
        return self.n_lost >= n

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> None:
        path = self._folder / SOCKET
        self._server = await asyncio.start_unix_server(self._serve, path)
        path.chmod(0o777)

    async def _end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            behind_reader, behind_writer = await asyncio.open_unix_connection(self._behind)
        except OSError:
            writer.close()
            return
        is_losing = asyncio.Event()
        ways = (
            asyncio.create_task(self._forward(reader, behind_writer, is_losing)),
            asyncio.create_task(self._back(behind_reader, writer, is_losing)),
        )
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            for end in (writer, behind_writer):
                end.close()

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_losing: asyncio.Event
    ) -> None:
        is_batch = False
        with contextlib.suppress(OSError):
            while chunk := await reader.read(1 << 16):
                is_batch |= bool(_OF_BATCH.search(chunk))
                if chunk.endswith(_COMMIT):
                    if self._take_turn(is_batch=is_batch):
                        is_losing.set()
                    is_batch = False
                writer.write(chunk)
                await writer.drain()

    async def _back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_losing: asyncio.Event) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(1 << 16):
                if is_losing.is_set():  # PostgreSQL has committed; its answer goes no further
                    self.n_lost += 1
                    return
                writer.write(chunk)
                await writer.drain()

    def _take_turn(self, *, is_batch: bool) -> bool:
        with self._lock:
            taken = self._n_to_lose > 0 and (is_batch or not self._of_batches)
            self._n_to_lose -= taken
            return taken
