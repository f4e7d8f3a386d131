"""What a question to /api/v1 is: its address, its parameters, what it is answered with, and who reads that."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from dqmsquare.config import CLUSTERS
from dqmsquare.server.api_v1.asked import Asked, Found
from dqmsquare.server.api_v1.parameters import HostId, JobId, Question, RunNumber
from dqmsquare.server.watched import Connection

BASE = "/api/v1"
JSON = "application/json"
PLAIN_TEXT = "text/plain; charset=utf-8"

PLACES: dict[str, Any] = {  # what may stand in a path
    "cluster": Literal[CLUSTERS],
    "run": RunNumber,
    "job_id": JobId,
    "host_id": HostId,
}
NOUNS = {"cluster": "cluster", "run": "run", "job_id": "job", "host_id": "host"}
_PLACE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A question. `path` is written as in OpenAPI, below BASE; `answer` is the dataclass that JSON is made of.

    `read` raises problems for the reader of the answer, and StoreUnavailable. `is_counting`: it counts over many runs.
    """

    name: str
    path: str
    summary: str
    read: Callable[[Connection, Asked], Found]
    answer: type
    query: type[Question] = Question
    media: str = JSON
    is_counting: bool = False

    @property
    def places(self) -> tuple[str, ...]:
        """The names of what stands in the path."""
        return tuple(_PLACE.findall(self.path))

    @property
    def rule(self) -> str:
        """The path as Bottle writes it."""
        return BASE + _PLACE.sub(r"<\1>", self.path)
