"""The markup of a run's cells. A page may have 31,000 of them: pieces are made once, and joined."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from dqmsquare.documents import client_name
from dqmsquare.states import State
from dqmsquare.storage.run_cells import ClientCell

_ICON = Markup('<svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false"><use href="#i-{}"/></svg>')
_MISSING = Markup('<td class="s-missing" data-c="{}">{}<span class="visually-hidden">missing</span></td>')
_PLAIN_STATES = frozenset({State.FINISHED})  # most cells: the number alone, so that the others are seen
_UNITS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True, slots=True)
class Column:
    """A client's column, and what comes before and after the run in the address of its cells, escaped."""

    tag: str
    client: str
    before_run: str
    after_run: str
    missing: str


@functools.lru_cache(maxsize=2_048)
def column(tag: str, base: str, query: str) -> Column:
    """`base` is the address that the run is put behind, `query` what comes after run and client."""
    client = client_name(tag)
    return Column(
        tag,
        client,
        before_run=str(Markup(' data-c="{}"><a tabindex="-1" href="{}').format(client, base)),
        after_run=str(Markup('/{}{}"').format(tag, query)),
        missing=str(_MISSING.format(client, _ICON.format(State.MISSING.value))),
    )


def short_count(number: int | None) -> str:
    """A count in at most four characters, or nothing.

    >>> short_count(343), short_count(9_840), short_count(640_300), short_count(3_400_000), short_count(None)
    ('343', '9.8k', '640k', '3.4M', '')
    """
    if number is None:
        return ""
    for size, unit in _UNITS:
        if number >= size * 0.9995:
            value = number / size
            return f"{value:.1f}{unit}" if value < 9.95 else f"{value:.0f}{unit}"
    return str(number)


@functools.lru_cache(maxsize=8_192)
def _ends(state: State, n_jobs: int, events: str) -> tuple[str, str]:
    """What comes before and after the address: the state, and what the cell shows and says."""
    is_empty = events in {"0", ""} and state in _PLAIN_STATES
    opening = Markup('<td class="s-{}{}"').format(state.value, " is-empty" if is_empty else "")
    said = [state.value, *([f"{n_jobs} attempts"] if n_jobs > 1 else []), *([f"{events} events"] if events else [])]
    icon = Markup() if state in _PLAIN_STATES else _ICON.format(state.value)
    attempts = Markup(' data-n="{}"').format(n_jobs) if n_jobs > 1 else Markup()
    closing = Markup('{} aria-label="{}">{}<span>{}</span></a></td>').format(
        attempts, ", ".join(said), icon, events or ("–" if state in _PLAIN_STATES else "")
    )
    return str(opening), str(closing)


def cells_of_run(run: int, cells: Mapping[str, ClientCell], columns: Sequence[Column]) -> Markup:
    """A run's cells in the order of `columns`, an empty one where the run has none."""
    pieces = []
    for one in columns:
        cell = cells.get(one.tag)
        if cell is None:
            pieces.append("<td></td>")
        elif cell.state is State.MISSING:
            pieces.append(one.missing)
        else:
            opening, closing = _ends(cell.state, cell.n_jobs, short_count(cell.n_events))
            pieces.append(f"{opening}{one.before_run}{run}{one.after_run}{closing}")
    return Markup("".join(pieces))  # noqa: S704  (each piece was escaped when it was made)
