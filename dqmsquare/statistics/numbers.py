"""A table's numbers over a selection of runs, and how they are written for programs."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from dqmsquare.statistics.tables import StatisticsTable, Value
from dqmsquare.storage.statistics_selection import Selection

Record = dict[str, Any]  # of Values


@dataclass(frozen=True, slots=True)
class Numbers:
    """`records`: a dict by the columns' names for every row."""

    table: StatisticsTable
    selection: Selection
    records: tuple[Record, ...]


def read_numbers(connection: Any, tables: Sequence[StatisticsTable], selection: Selection) -> list[Numbers]:
    """The numbers of each table; what two tables read alike is read once."""
    rows: dict[Any, Sequence[object]] = {}
    for table in tables:
        if table.read not in rows:
            rows[table.read] = table.read(connection, selection)
    return [Numbers(table, selection, records_of(table, rows[table.read])) for table in tables]


def records_of(table: StatisticsTable, rows: Sequence[object]) -> tuple[Record, ...]:
    """What was read as a dict for every row."""
    return tuple({column.name: column.of(row) for column in table.columns} for row in rows)


def as_csv(numbers: Numbers) -> bytes:
    """A line of names, then the rows; times ISO 8601 in UTC, flags 0 or 1, nothing where nothing is known."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow([column.name for column in numbers.table.columns])
    writer.writerows([_written(value) for value in record.values()] for record in numbers.records)
    return written.getvalue().encode()


def as_json(numbers: Numbers, cluster: str) -> bytes:
    """The same with what was asked for and what the columns mean."""
    selection = numbers.selection
    answer = {
        "table": numbers.table.name,
        "title": numbers.table.title,
        "cluster": cluster,
        "first_run": selection.first,
        "last_run": selection.last,
        "run_key": selection.run_key,
        "n_runs": selection.n_runs,
        "stuck_after_seconds": selection.stuck_after_seconds,
        "columns": [
            {"name": column.name, "title": column.title, "unit": column.unit, "meaning": column.meaning}
            for column in numbers.table.columns
        ],
        "rows": [
            {name: _instant(value) if isinstance(value, datetime) else value for name, value in record.items()}
            for record in numbers.records
        ],
    }
    return orjson.dumps(answer)


def _written(value: Value) -> str | int | float | None:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, datetime):
        return _instant(value)
    if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"}:
        return f"'{value}"  # a spreadsheet would take it for a formula
    return value


def _instant(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
