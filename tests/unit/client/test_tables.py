from io import StringIO

import pytest
from rich.console import Console

from dqmsquare.client.parser import make_parser
from dqmsquare.client.tables import any_table, facts_table


def drawn(table) -> list[str]:
    file = StringIO()
    console = Console(file=file, width=120)
    console.print(table)
    return [line.rstrip() for line in file.getvalue().splitlines() if line.strip()]


def test_what_came_from_outside_is_neither_markup_nor_steers_the_terminal():
    lines = drawn(any_table([{"name": "[red]x[/]\x1b[31m", "n": 1234567, "share": None}]))
    assert lines[-1].split() == ["[red]x[/][31m", "1,234,567", "–"]


def test_run_numbers_are_no_figures():
    assert drawn(facts_table({"run": 398220, "n_events": 398220, "host": {"label": "left out"}})) == [
        "run       398220",
        "n events  398,220",
    ]


@pytest.mark.parametrize("wrong", [["runs", "--last", "0"], ["run", "١٢"], ["runs", "--from", "latest"], ["job"], []])
def test_wrong_arguments_end_with_status_2(wrong, capsys):
    with pytest.raises(SystemExit) as ended:
        make_parser().parse_args(wrong)
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err
