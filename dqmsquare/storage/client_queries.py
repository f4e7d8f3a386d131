"""Questions about one client over several runs."""

from dataclasses import dataclass

from sqlalchemy import Connection, select

from dqmsquare.storage.tables import run_clients


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRun:
    """How the jobs of a client ended in a run; n_open have no exit code yet."""

    run: int
    n_jobs: int
    n_open: int
    n_finished: int
    n_stopped: int
    n_failed: int
    n_crashed: int


def client_history(connection: Connection, tag: str, run: int, limit: int = 10) -> list[ClientRun]:
    """The client's last `limit` runs up to and with `run`, newest first. By run_clients' primary key, backwards."""
    statement = (
        select(*(run_clients.c[name] for name in ClientRun.__slots__))
        .where(run_clients.c.tag == tag, run_clients.c.run <= run)
        .order_by(run_clients.c.run.desc())
        .limit(limit)
    )
    return [ClientRun(**row) for row in connection.execute(statement).mappings()]
