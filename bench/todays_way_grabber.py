"""Today's way of grabbing, for comparison: a request per document, a deletion and an insertion of its row, each of the
three on a connection of its own; nothing scrubbed, nothing summed up.
"""

import json
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import psycopg2
import requests

from tests.postgres import TestPlace

TABLE = """
CREATE TABLE IF NOT EXISTS public.todays_runs (id TEXT PRIMARY KEY, client TEXT, run INT, rev INT, hostname TEXT,
    exit_code INT, events_total INT, events_rate REAL, cmssw_run INT, cmssw_lumi INT, client_path TEXT, runkey TEXT,
    fi_state TEXT, timestamp TIMESTAMPTZ, vmrss TEXT, stdlog_start TEXT, stdlog_end TEXT)
"""
_PLACES = ", ".join(["%s"] * 17)


def ask(url: str, message: dict[str, Any]) -> dict[str, Any]:
    """The first message of an answer, on a new connection."""
    answer = requests.post(f"{url}/redirect", json={"messages": [json.dumps(message)]}, timeout=60)
    first: dict[str, Any] = json.loads(answer.json()["messages"][0])
    return first


def row_of(document: dict[str, Any]) -> tuple[Any, ...]:
    """What the first mirror keeps of a job."""
    extra = document["extra"]
    cmdline = document["cmdline"]
    return (
        document["_id"], document["tag"], document["run"], document["_rev"], document["hostname"],
        document.get("exit_code", -1), int(document["events_total"]), float(document.get("events_rate", -1)),
        int(document["cmssw_run"]), int(document["cmssw_lumi"]), cmdline[1],
        next((part for part in cmdline if part.startswith("runkey=")), ""), document["fi_state"],
        datetime.fromtimestamp(document["report_timestamp"], UTC), extra["ps_info"]["VmRSS"],
        str(extra["stdlog_start"]), str(extra["stdlog_end"]),
    )  # fmt: skip


def grab(url: str, connect: dict[str, Any], n_documents: int) -> int:
    """Copies so many documents, one after the other; returns how many it stored."""
    _execute(connect, TABLE)
    n_stored = rev = 0
    while n_stored < n_documents:
        headers = ask(url, {"event": "sync_request", "known_rev": str(rev)})["headers"]
        for header in headers[: n_documents - n_stored]:
            (document,) = ask(url, {"event": "request_documents", "ids": [header["_id"]]})["documents"]
            _execute(connect, "DELETE FROM public.todays_runs WHERE id = %s", document["_id"])
            _execute(connect, f"INSERT INTO public.todays_runs VALUES ({_PLACES})", *row_of(document))
            n_stored += 1
            rev = header["_rev"] + 1
    return n_stored


def _execute(connect: dict[str, Any], statement: str, *values: Any) -> None:
    with closing(psycopg2.connect(**connect)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement, values or None)


def connect_arguments(place: TestPlace) -> dict[str, Any]:
    """How psycopg2 reaches the production database of a place as its owner."""
    return {"host": place.server.host, "user": "postgres", "dbname": place.config.database_name("production")}
