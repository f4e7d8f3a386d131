"""The files of static/: read once, compressed in memory, found by exact name, so that no path can lead elsewhere."""

import gzip
import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import bottle
import zstandard

from dqmsquare.server.responses import negotiated, problem

_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_EACH_TIME = "no-cache"
_ZSTD_LEVEL = 19  # each file once per start
_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".json": "application/json",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
}


@dataclass(frozen=True)
class Asset:
    """A file as it was when it was read."""

    body: bytes
    content_type: str

    @cached_property
    def version(self) -> str:
        """A hash of the content."""
        return hashlib.blake2b(self.body, digest_size=8).hexdigest()

    @property
    def etag(self) -> str:
        """Weak, since the compressed forms share it."""
        return f'W/"{self.version}"'

    @cached_property
    def gzip(self) -> bytes:
        """The body, compressed once."""
        return gzip.compress(self.body, 9, mtime=0)

    @cached_property
    def zstd(self) -> bytes:
        """The body, compressed once."""
        return zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(self.body)


class Assets:
    """All files below `folder`, hidden ones left out. With `watch` a file that has changed is read again."""

    def __init__(self, folder: Path, *, watch: bool = False) -> None:
        self._folder = folder
        self._watch = watch
        self._read_at: dict[str, int] = {}
        self._assets: dict[str, Asset] = {}
        self._read()

    def version(self, name: str) -> str:
        """The hash in a file's address; raises KeyError where there is no such file."""
        return self._find(name).version

    def names(self) -> Mapping[str, Asset]:
        """Everything there is, by its path below the folder."""
        return self._assets

    def respond(self, name: str, request: bottle.BaseRequest) -> bottle.HTTPResponse:
        """The file, to be kept for ever by whoever asked with its hash; 404 where there is none of that name."""
        try:
            asset = self._find(name)
        except KeyError:
            raise problem(404, "There is no such file.") from None
        # Under another hash it must not be kept: a page of the version before may ask during a roll-out.
        kept = request.query.get("v") == asset.version
        return negotiated(asset, request, _FOR_EVER if kept else _ASK_EACH_TIME)

    def _find(self, name: str) -> Asset:
        if self._watch and name in self._assets:
            self._read_one(name, self._folder / name)
        elif self._watch:
            self._read()
        return self._assets[name]

    def _read(self) -> None:
        for path in self._folder.rglob("*"):
            name = path.relative_to(self._folder).as_posix()
            if path.is_file() and not any(part.startswith(".") for part in name.split("/")):
                self._read_one(name, path)

    def _read_one(self, name: str, path: Path) -> None:
        changed_at = path.stat().st_mtime_ns
        if self._read_at.get(name) != changed_at:
            self._assets[name] = Asset(path.read_bytes(), _media_type(path))
            self._read_at[name] = changed_at


def _media_type(path: Path) -> str:
    return _MEDIA_TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
