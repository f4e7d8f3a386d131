"""Asks for one address over many connections at once: wrk where it is installed, else a small client of our own.

The same one is used for all three sides of a comparison, since it takes its part of the cores.
"""

import asyncio
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

BROWSER = {"Accept-Encoding": "gzip, deflate, br, zstd"}
_WRK_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


class LoadFailed(Exception):
    """What came back were not the answers that were to be counted."""


@dataclass(frozen=True, slots=True)
class Load:
    """Answers per second, and how long one of them took, in s."""

    answers_per_second: float
    median_seconds: float
    p99_seconds: float


def generator() -> str:
    """Which client is used."""
    return "wrk" if shutil.which("wrk") else "the bench's own client"


def ask(url: str, *, connections: int = 64, seconds: float = 3.0) -> Load:
    """Raises LoadFailed where an answer is not a 200."""
    if shutil.which("wrk"):
        return _wrk(url, connections, seconds)
    # A process of its own: this one may be busy with something else.
    arguments = (url, str(connections), str(seconds))
    said = _run(sys.executable, "-m", "bench.load", *arguments)
    return Load(*(float(word) for word in said.split()))


def _wrk(url: str, connections: int, seconds: float) -> Load:
    headers = [part for name, value in BROWSER.items() for part in ("-H", f"{name}: {value}")]
    said = _run(
        "wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "60s", "--latency", *headers, url
    )
    if "Non-2xx" in said or "Socket errors" in said:
        raise LoadFailed(f"{url}: {said}")
    percentiles = dict(re.findall(r"(50|99)%\s+(\S+)", said))
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    if rate is None:
        raise LoadFailed(f"{url}: {said}")
    return Load(float(rate[1]), *(_seconds(percentiles[name]) for name in ("50", "99")))


def _seconds(text: str) -> float:
    """
    >>> _seconds("1.50ms"), _seconds("20.00us")
    (0.0015, 2e-05)
    """
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]  # wrk's own spelling
    return round(float(number) * _WRK_UNITS[unit], 9)


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


async def _ask_for_ever(url: str, ends_at: float, times: list[float]) -> None:
    address = urlsplit(url)
    reading, writing = await asyncio.open_connection(address.hostname, address.port)
    lines = [f"GET {address.path}?{address.query} HTTP/1.1", "Host: bench"]
    lines += [f"{name}: {value}" for name, value in BROWSER.items()]
    request = ("\r\n".join(lines) + "\r\n\r\n").encode()
    while time.perf_counter() < ends_at:
        begun = time.perf_counter()
        writing.write(request)
        head = await reading.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        if not head.startswith(b"HTTP/1.1 200") or length is None:
            raise LoadFailed(f"{url}: {head[:200]!r}")
        await reading.readexactly(int(length[1]))
        times.append(time.perf_counter() - begun)
    writing.close()


async def _own_client(url: str, connections: int, seconds: float) -> Load:
    times: list[float] = []
    ends_at = time.perf_counter() + seconds
    await asyncio.gather(*(_ask_for_ever(url, ends_at, times) for _ in range(connections)))
    times.sort()
    return Load(len(times) / seconds, times[len(times) // 2], times[int(0.99 * (len(times) - 1))])


if __name__ == "__main__":
    load = asyncio.run(_own_client(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
    print(load.answers_per_second, load.median_seconds, load.p99_seconds)
