"""What the first API's get_runs says of a run, as text: made when a job of the run changes, read as it lies there.

A range of 1,000 runs is 31,000 jobs; to read and spell these out at each question takes ten times as long.
"""

from collections.abc import Generator, Sequence

from sqlalchemy import Connection, Integer, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from dqmsquare.storage.tables import run_listings

_RUNS_AT_A_TIME = 200

# A job: [host_label, events, lumisection, fi_state, exit_code, time in Geneva as Python's isoformat() writes it].
# The first mirror stored -1 for a number that a document lacks.
_MAKE_SQL = """
INSERT INTO mirror.run_listings (run, body)
SELECT run, json_build_object(
    'run_data', json_build_array(
        coalesce(max(cmssw_run), -1),
        coalesce((array_agg(run_key ORDER BY tag) FILTER (WHERE run_key <> ''))[1], ''),
        coalesce((array_agg(release ORDER BY tag) FILTER (WHERE release <> ''))[1], '')
    ),
    'clients', json_object_agg(client, lines ORDER BY tag)
)
FROM (
    SELECT run, client, min(tag) AS tag, max(cmssw_run) AS cmssw_run, json_agg(line ORDER BY PLACE) AS lines,
        (array_agg(run_key ORDER BY PLACE) FILTER (WHERE run_key <> ''))[1] AS run_key,
        (array_agg(release ORDER BY PLACE) FILTER (WHERE release <> ''))[1] AS release
    FROM (
        SELECT *, CASE
            WHEN right(tag, 22) = '_dqm_sourceclient-live' AND length(tag) > 22 THEN left(tag, -22) ELSE tag
        END AS client, json_build_array(
            host_label, coalesce(n_events, -1), coalesce(lumi, -1), coalesce(CAST(fi_state AS text), ''),
            coalesce(exit_code, -1), coalesce(
                to_char(in_geneva, 'YYYY-MM-DD"T"HH24:MI:SS')
                || CASE WHEN date_trunc('second', in_geneva) = in_geneva THEN '' ELSE to_char(in_geneva, '.US') END
                || to_char(in_geneva - (reported_at AT TIME ZONE 'UTC'), '"+"HH24:MI'), '')
        ) AS line
        FROM (SELECT *, reported_at AT TIME ZONE 'Europe/Zurich' AS in_geneva FROM mirror.jobs WHERE run = ANY(:runs))
            AS jobs_of_runs
    ) AS lined
    GROUP BY run, client
) AS by_client
GROUP BY run
ON CONFLICT (run) DO UPDATE SET body = excluded.body
""".replace("PLACE", "tag, host_label, first_reported_at, document_id")
_FORGET_SQL = """
DELETE FROM mirror.run_listings
WHERE run = ANY(:runs) AND NOT EXISTS (SELECT FROM mirror.jobs WHERE jobs.run = run_listings.run)
"""
_RUNS = bindparam("runs", type_=ARRAY(Integer))
_BETWEEN = (
    select(run_listings.c.run, run_listings.c.body)
    .where(run_listings.c.run.between(bindparam("first"), bindparam("last")))
    .order_by(run_listings.c.run.desc())
    .limit(_RUNS_AT_A_TIME)
)
_MAKE, _FORGET = text(_MAKE_SQL).bindparams(_RUNS), text(_FORGET_SQL).bindparams(_RUNS)


def make_listings(connection: Connection, runs: Sequence[int]) -> None:
    """Makes those of `runs` anew. The caller holds the PUBLISH lock, as for the summaries."""
    connection.execute(_MAKE, {"runs": list(runs)})


def forget_listings(connection: Connection, runs: Sequence[int]) -> None:
    """Drops those of `runs` that have no job any more."""
    connection.execute(_FORGET, {"runs": list(runs)})


def listings_between(connection: Connection, first: int, last: int) -> Generator[tuple[int, str]]:
    """Runs from `first` to `last`, newest first, each with the JSON that get_runs gives for it unfiltered.

    Some at a time, so that memory stays flat. By run_listings' primary key.
    """
    next_run = last
    while next_run >= first:
        rows = connection.execute(_BETWEEN, {"first": first, "last": next_run}).all()
        yield from ((run, body) for run, body in rows)
        next_run = rows[-1].run - 1 if len(rows) == _RUNS_AT_A_TIME else first - 1
