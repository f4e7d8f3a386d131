"""The tables of statistics, their numbers as CSV and JSON, their pictures: what page, API and report show alike."""

from dqmsquare.statistics.numbers import Numbers, as_csv, as_json, read_numbers
from dqmsquare.statistics.pictures import DARK, LIGHT, Painter
from dqmsquare.statistics.tables import TABLES, Column, StatisticsTable
from dqmsquare.statistics.words import meanings

__all__ = [
    "DARK",
    "LIGHT",
    "TABLES",
    "Column",
    "Numbers",
    "Painter",
    "StatisticsTable",
    "as_csv",
    "as_json",
    "meanings",
    "read_numbers",
]
