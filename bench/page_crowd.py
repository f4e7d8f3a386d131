"""Many open live pages in one process: each holds its stream and, where asked, fetches what an event says has changed.

`python -m bench.page_crowd PORT PREFIX PAGES FETCHING SECONDS` prints READY, then after SECONDS what came as JSON.
"""

import asyncio
import json
import re
import sys
import time

_CHANGE = re.compile(rb"event: change\nid: (\S+)\n|id: (\S+)\nevent: change\n")
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: (\d+)")


class _Fetcher(asyncio.Protocol):
    """A page's second connection: asks for the partial, one at a time."""

    def __init__(self, crowd: "_Crowd") -> None:
        self._crowd = crowd
        self._received = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def ask(self, event: bytes) -> None:
        request = b"GET %b/live/partial?after=%b HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip, zstd\r\n\r\n"
        if self._transport is not None:
            self._transport.write(request % (self._crowd.prefix, event))

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if found and len(body) >= (int(length[1]) if length else 0):
            self._crowd.fetched.append((time.time(), len(self._received)))
            self._received = b""


class _Page(asyncio.Protocol):
    """The stream of one page."""

    def __init__(self, crowd: "_Crowd", fetcher: _Fetcher | None) -> None:
        self._crowd = crowd
        self._fetcher = fetcher

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        path = self._crowd.prefix + b"/api/v1/clusters/production/events"
        transport.write(b"GET %b HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n" % path)

    def data_received(self, data: bytes) -> None:
        now = time.time()
        if data.startswith(b"HTTP/1.1 200"):
            self._crowd.has_opened()
        elif data.startswith(b"HTTP/1.1"):
            sys.exit(f"a stream was refused: {data[:200]!r}")
        for one, other in _CHANGE.findall(data):
            event = one or other
            self._crowd.events.append((event.decode(), now))
            if self._fetcher:
                self._fetcher.ask(event)


class _Crowd:
    """The pages, and what came when."""

    def __init__(self, port: int, prefix: str, n_pages: int, *, is_fetching: bool) -> None:
        self.prefix = prefix.encode()
        self._n_open = 0
        self._all_open = asyncio.Event()
        self.events: list[tuple[str, float]] = []
        self.fetched: list[tuple[float, int]] = []
        self._port, self._n_pages, self._is_fetching = port, n_pages, is_fetching

    def has_opened(self) -> None:
        self._n_open += 1
        if self._n_open == self._n_pages:
            self._all_open.set()

    async def watch(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(self._n_pages):
            fetcher = _Fetcher(self) if self._is_fetching else None
            if fetcher:
                await loop.create_connection(lambda f=fetcher: f, "127.0.0.1", self._port)  # type: ignore[misc]
            await loop.create_connection(lambda f=fetcher: _Page(self, f), "127.0.0.1", self._port)  # type: ignore[misc]
        await self._all_open.wait()
        print("READY", flush=True)
        await asyncio.sleep(seconds)


if __name__ == "__main__":
    _port, _prefix, _n, _fetching, _seconds = sys.argv[1:]
    crowd = _Crowd(int(_port), _prefix, int(_n), is_fetching=_fetching == "1")
    asyncio.run(crowd.watch(float(_seconds)))
    print(json.dumps({"events": crowd.events, "fetched": crowd.fetched}))
