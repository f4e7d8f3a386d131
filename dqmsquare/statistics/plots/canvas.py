"""A figure whose measures are pixels of the page, and axes that look like the rest of the mirror."""

import io
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from dqmsquare.statistics.pictures import Theme

_DPI = 100
_FONT_PX = 12
_NAME_MAX = 34
HATCHES = {"crashed": "", "failed": "////", "stuck": "....", "files gone": "\\\\\\\\"}  # never by colour alone


def names_width(names: Sequence[str]) -> float:
    """Px that the longest name of a row takes, with a margin."""
    return 24 + 7.2 * max(len(_short(name)) for name in names)


def _short(name: str) -> str:
    return name if len(name) <= _NAME_MAX else f"{name[: _NAME_MAX - 1]}…"


def points(pixels: float) -> float:
    """Pixels of the page in matplotlib's unit for lines and letters."""
    return pixels * 72 / _DPI


class Canvas:
    """Drawn on from the top: each part is placed by its distance from the left and the upper edge, in px."""

    def __init__(self, theme: Theme) -> None:
        self.theme = theme
        self.figure = Figure(dpi=_DPI, facecolor=theme.card)
        self._canvas = FigureCanvasAgg(self.figure)
        self._width, self._height = 0.0, 0.0

    def resize(self, width: float, height: float) -> None:
        """To be called first."""
        self._width, self._height = width, height
        self.figure.set_size_inches(width / _DPI, height / _DPI)

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Axes without a frame, with quiet letters and a grid behind."""
        box = (left / self._width, 1 - (top + height) / self._height, width / self._width, height / self._height)
        axes = self.figure.add_axes(box, facecolor=self.theme.card)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0, pad=points(5), labelsize=points(_FONT_PX - 1), labelcolor=self.theme.quiet)
        axes.grid(color=self.theme.line, linewidth=points(1))
        axes.set_axisbelow(True)
        return axes

    def name_axis(self, axes: Axes, names: Sequence[str]) -> None:
        """Writes the names of rows, the first at the top; very long ones are cut."""
        axes.set_yticks(range(len(names)), [_short(name) for name in names], color=self.theme.text)
        axes.set_ylim(len(names) - 0.5, -0.5)

    def text(self, left: float, top: float, words: str, *, quiet: bool = False, bold: bool = False) -> None:
        """Words whose upper left corner stands there."""
        self.figure.text(
            left / self._width,
            1 - top / self._height,
            words,
            va="top",
            size=points(_FONT_PX),
            color=self.theme.quiet if quiet else self.theme.text,
            weight="bold" if bold else "normal",
        )

    def legend(self, left: float, entries: Sequence[tuple[str, str, str]]) -> None:
        """A line of boxes with words at the top: word, colour, hatch."""
        self.figure.legend(
            handles=[self.patch(word, colour, hatch) for word, colour, hatch in entries],
            loc="upper left",
            bbox_to_anchor=(left / self._width, 1.0),
            ncols=len(entries),
            frameon=False,
            fontsize=points(_FONT_PX),
            labelcolor=self.theme.text,
            handlelength=1.2,
            columnspacing=1.6,
            borderaxespad=0.2,
        )

    def patch(self, word: str, colour: str, hatch: str) -> Patch:
        """The box of a legend."""
        face = colour if not hatch else self.theme.card
        return Patch(facecolor=face, edgecolor=colour, hatch=hatch, label=word, linewidth=points(1))

    def nothing(self, words: str) -> None:
        """A small picture that says why there is nothing to see."""
        self.resize(680, 64)
        self.text(16, 24, words, quiet=True)

    def png(self, scale: int) -> bytes:
        """The picture; without the version of matplotlib or a date in it."""
        written = io.BytesIO()
        self.figure.savefig(written, format="png", dpi=_DPI * scale, metadata={"Software": None})
        return written.getvalue()
