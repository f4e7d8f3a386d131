"""A network that takes its time: at this proxy each byte waits for half a round trip, connecting for a whole one.

Bandwidth is not limited: bytes that come together leave together.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.programs import ROOT, free_port, wait_for

_CHUNK_BYTES = 2**20


@contextmanager
def slow_way_to(target: str, round_trip_seconds: float) -> Iterator[int]:
    """Yields a port of the loopback; `target` is `address:port` or the path of a socket."""
    port = free_port()
    command = [sys.executable, "-m", "bench.latency", str(port), target, str(round_trip_seconds)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        wait_for(lambda: process.stdout and process.stdout.readline().strip() == "ready", "the proxy listens")
        yield port
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


class _Proxy:
    def __init__(self, target: str, round_trip_seconds: float) -> None:
        self._target = target
        self._round_trip_seconds = round_trip_seconds

    async def connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Both directions of one connection, until either side has had enough."""
        await asyncio.sleep(self._round_trip_seconds)
        if self._target.startswith("/"):
            onward = await asyncio.open_unix_connection(self._target)
        else:
            address, _, port = self._target.rpartition(":")
            onward = await asyncio.open_connection(address, int(port))
        ways = [self._carry(reader, onward[1]), self._carry(onward[0], writer)]
        await asyncio.gather(*ways, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            while True:
                due, data = await waiting.get()
                await asyncio.sleep(max(0.0, due - loop.time()))
                if not data:
                    writer.close()
                    return
                writer.write(data)

        delivery = asyncio.create_task(deliver())
        try:
            while data := await reader.read(_CHUNK_BYTES):
                waiting.put_nowait((loop.time() + self._round_trip_seconds / 2, data))
        except ConnectionError:
            pass
        waiting.put_nowait((loop.time() + self._round_trip_seconds / 2, b""))
        await delivery


async def _serve(port: int, proxy: _Proxy) -> None:
    server = await asyncio.start_server(proxy.connection, "127.0.0.1", port, limit=_CHUNK_BYTES)
    print("ready", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), _Proxy(sys.argv[2], float(sys.argv[3]))))
