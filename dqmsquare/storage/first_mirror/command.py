"""What `db.py import-first-mirror` and `db.py drop-first-mirror` do, for one cluster's database after the other."""

import os
from collections.abc import Sequence
from contextlib import closing

from rich.console import Console

from dqmsquare.config import Config
from dqmsquare.errors import ImportRefused
from dqmsquare.storage.engine import translated_errors
from dqmsquare.storage.first_mirror.importing import Report, import_first_mirror
from dqmsquare.storage.first_mirror.shown import report_lines, shown_progress
from dqmsquare.storage.first_mirror.source import be_patient
from dqmsquare.storage.first_mirror.verification import drop_first_mirror, first_mirror_remains, verify
from dqmsquare.storage.first_mirror.workers import Origin
from dqmsquare.storage.opening import Place

_WORKERS_MAX = 4  # more keep PostgreSQL busier than a live mirror should have it
CONFIRMATION = "drop"


def import_tables(config: Config, place: Place, clusters: Sequence[str], *, dsn: str | None, clock: str | None) -> None:
    """Imports, and says what it did wherever it ends. Raises ImportRefused and StoreUnavailable."""
    console = Console()
    origins = [Origin(config, place, cluster, dsn) for cluster in clusters]
    # In place and unasked, a cluster that has no old tables is none of the import's business.
    with_tables = [origin for origin in origins if len(origins) == 1 or _remains(origin)]
    if not with_tables:
        raise ImportRefused(f"there are no tables of the first mirror in these databases ({', '.join(clusters)})")
    for origin in with_tables:
        report = Report()
        console.print(f"[bold]{origin.cluster}[/bold]", highlight=False)
        try:
            with shown_progress(console) as on_progress:
                n_workers = min(_WORKERS_MAX, os.cpu_count() or 1)
                import_first_mirror(origin, report, clock=clock, n_workers=n_workers, on_progress=on_progress)
        finally:
            for line in report_lines(report):
                console.print(line, highlight=False, markup=False, soft_wrap=True)


def drop_tables(config: Config, place: Place, clusters: Sequence[str], *, clock: str | None, confirmed: bool) -> None:
    """Verifies, asks, and drops. Raises ImportRefused if nothing is there, something is missing, or nobody says yes."""
    console = Console()
    origins = [Origin(config, place, cluster) for cluster in clusters]
    with_tables = [origin for origin in origins if _remains(origin)]
    if not with_tables:
        raise ImportRefused(f"there are no tables of the first mirror beside the new ones ({', '.join(clusters)})")
    for origin in with_tables:
        with translated_errors(), closing(origin.database().direct()) as connection:
            be_patient(connection)
            verified = verify(connection, origin, clock=clock)
        console.print(f"{origin.cluster}: {verified.in_words()}.", highlight=False, markup=False, soft_wrap=True)
        if not verified.is_complete:
            raise ImportRefused("nothing was dropped: run `python db.py import-first-mirror` again")
        if not confirmed and not _is_confirmed(console, origin.cluster):
            raise ImportRefused("nothing was dropped")
        drop_first_mirror(origin, clock=clock)
        console.print(f"{origin.cluster}: the first mirror's tables are gone.", highlight=False)


def _remains(origin: Origin) -> bool:
    with origin.database().reading() as connection:
        return first_mirror_remains(connection)


def _is_confirmed(console: Console, cluster: str) -> bool:
    if not console.is_terminal:
        return False
    question = f"Rows that cannot be read are lost. To drop the {cluster} cluster's old tables type '{CONFIRMATION}': "
    return console.input(question, markup=False).strip() == CONFIRMATION
