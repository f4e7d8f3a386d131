"""What get_runs says of a run, kept as text."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# As the program made them at this version; it makes one anew whenever a job of its run changes.
_MAKE = """
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
        FROM (SELECT *, reported_at AT TIME ZONE 'Europe/Zurich' AS in_geneva FROM mirror.jobs) AS jobs_of_runs
    ) AS lined
    GROUP BY run, client
) AS by_client
GROUP BY run
""".replace("PLACE", "tag, host_label, first_reported_at, document_id")


def upgrade() -> None:
    op.create_table(
        "run_listings",
        sa.Column("run", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("body", sa.Text(), nullable=False),
        schema="mirror",
    )
    op.get_bind().exec_driver_sql(_MAKE)
