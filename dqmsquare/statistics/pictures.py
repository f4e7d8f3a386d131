"""Pictures of statistics as PNG: which there are, how large, in which colours; plots/ draws them with matplotlib."""

import gc
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dqmsquare.statistics.numbers import Numbers

SCALE = 2  # pixels of the file per pixel of the page: sharp on good screens and on paper


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours as in static/app.css: the same names, one of each pair."""

    name: str
    card: str
    text: str
    quiet: str
    line: str
    warn: str
    bad: str
    grey: str
    kinds: Mapping[str, str]


LIGHT = Theme(
    "light", "#ffffff", "#17202a", "#556270", "#dfe4ea", "#8a5a00", "#b3261e", "#556270",
    {"collisions": "#1458c4", "cosmics": "#a34a00", "other": "#556270"},
)  # fmt: skip
DARK = Theme(
    "dark", "#141b23", "#e4ebf2", "#97a5b3", "#27313c", "#ffc857", "#ff8a80", "#97a5b3",
    {"collisions": "#75b3ff", "cosmics": "#ffb066", "other": "#97a5b3"},
)  # fmt: skip
THEMES = {theme.name: theme for theme in (LIGHT, DARK)}


class Painter:
    """Draws one picture at a time. `folder` is where matplotlib may keep its list of fonts between two starts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()  # matplotlib's caches of fonts are not made for threads

    def draw(self, numbers: Numbers, theme: Theme = LIGHT) -> bytes:
        """The picture of a table as PNG, the same bytes for the same numbers."""
        with self._lock:
            # matplotlib is 30 MB and a second: only who draws pays for it. It reads this once, when it is imported.
            os.environ.setdefault("MPLCONFIGDIR", str(self._folder))
            from dqmsquare.statistics import plots  # noqa: PLC0415

            try:
                return plots.draw(numbers, theme, SCALE)
            finally:
                gc.collect()  # a figure is a circle of objects with 10 MB in it, and the server looks for these seldom
