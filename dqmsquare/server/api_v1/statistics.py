"""The tables of statistics: each is an operation of its own, whose rows are as closed as any other answer."""

import functools
from dataclasses import dataclass, make_dataclass
from datetime import datetime
from typing import Annotated, Any

from dqmsquare.server.api_v1.asked import Asked, Found
from dqmsquare.server.api_v1.operation import Operation
from dqmsquare.server.api_v1.parameters import HIGHEST_RUN, Question, RunNumber
from dqmsquare.server.counting import COUNTS_HOLD
from dqmsquare.server.watched import Connection
from dqmsquare.statistics import TABLES, Column, StatisticsTable, meanings, read_numbers
from dqmsquare.storage.statistics_selection import RUNS_MAX, select_runs

_PATH = "/clusters/{cluster}/statistics"
_KINDS: dict[str, Any] = {
    "text": str | None,
    "run": int | None,
    "count": int | None,
    "bytes": int | None,
    "Hz": float | None,
    "s": float | None,
    "share": float | None,
    "time": datetime | None,
    "flag": bool | None,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsQuestion(Question):
    """Which runs are counted."""

    first: Annotated[RunNumber, "Lowest run."] = 1
    last: Annotated[RunNumber, "Highest run."] = HIGHEST_RUN
    run_key: Annotated[str, "Only runs of this run key.", {"pattern": "^[A-Za-z0-9_]{1,40}$"}] = ""
    limit: Annotated[int, "So many runs at most, the newest of them.", {"minimum": 1, "maximum": RUNS_MAX}] = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TableLink:
    """A table and its address."""

    name: str
    title: str
    subject: Annotated[str, "What it is about, in a sentence."]
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A word that tables use, and what it means."""

    word: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TableList:
    """The tables of statistics."""

    tables: tuple[TableLink, ...]
    words: tuple[Word, ...]


def read_tables(_: Connection, asked: Asked) -> Found:
    """The list of tables."""
    links = (
        TableLink(name=table.name, title=table.title, subject=table.subject, url=_url(asked, table))
        for table in TABLES.values()
    )
    words = meanings(asked.site.config.stuck_after_seconds)
    return Found(
        TableList(tables=tuple(links), words=tuple(Word(word=word, meaning=text) for word, text in words.items()))
    )


def _url(asked: Asked, table: StatisticsTable) -> str:
    return asked.site.url(f"{asked.path}/{table.name}")


def table_operations() -> tuple[Operation, ...]:
    """The list of tables, and each table."""
    tables = Operation(
        name="statistics",
        path=_PATH,
        summary="The tables of statistics, and what their words mean",
        read=read_tables,
        answer=TableList,
    )
    return (tables, *map(_table_operation, TABLES.values()))


def _table_operation(table: StatisticsTable) -> Operation:
    answer = _answer(table)
    return Operation(
        name=f"statistics_{table.name.replace('-', '_')}",
        path=f"{_PATH}/{table.name}",
        summary=f"Statistics: {table.subject}",
        read=functools.partial(_read_table, table, answer),
        query=StatisticsQuestion,
        answer=answer,
        is_counting=True,
    )


def _answer(table: StatisticsTable) -> type:
    """The dataclass of a table's answer, its rows made of the table's columns."""
    name = "".join(part.capitalize() for part in table.name.split("-"))
    row = make_dataclass(f"StatisticsOf{name}Row", [(column.name, _kind(column)) for column in table.columns])
    row.__doc__ = f"{table.title}, a row."
    answer = make_dataclass(
        f"StatisticsOf{name}",
        [
            ("first_run", Annotated[int | None, "Lowest run that is counted; null where there is none."]),
            ("last_run", Annotated[int | None, "Highest run that is counted."]),
            ("n_runs", Annotated[int, "Runs that are counted."]),
            ("rows", tuple[row, ...]),  # type: ignore[valid-type]
        ],
    )
    answer.__doc__ = f"{table.title}: {table.subject}."
    return answer


def _kind(column: Column) -> Any:
    unit = "" if column.unit in {"text", "count", "run", "time", "flag"} else f", {column.unit}"
    return Annotated[_KINDS[column.unit], f"{column.meaning or column.title}{unit}."]


def _read_table(table: StatisticsTable, answer: Any, connection: Connection, asked: Asked) -> Found:
    query: StatisticsQuestion = asked.query
    selection = select_runs(
        connection,
        stuck_after_seconds=asked.site.config.stuck_after_seconds,
        first=query.first,
        last=query.last,
        newest=query.limit,
        run_key=query.run_key or None,
    )
    if selection is None:
        return Found(answer(None, None, 0, ()), asked.now + COUNTS_HOLD)
    [numbers] = read_numbers(connection, [table], selection)
    # The records are dicts by the columns' names, which are the row's fields.
    counted = answer(selection.first, selection.last, selection.n_runs, numbers.records)
    return Found(counted, asked.now + COUNTS_HOLD)
