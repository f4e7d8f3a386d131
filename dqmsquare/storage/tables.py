"""The tables as SQLAlchemy Core knows them; the migrations make them, and a test compares the two."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, REAL

SCHEMA = "mirror"
metadata = MetaData(schema=SCHEMA)

_Instant = DateTime(timezone=True)


def _document_columns() -> tuple[Column[object], ...]:
    """What each table of documents has: rows compare by (epoch, rev); stamp is the raw timestamp of the revision."""
    columns: tuple[Column[object], ...] = (
        Column("document_id", Text(collation="C"), primary_key=True),
        Column("host_id", Text, nullable=False),
        Column("host_label", Text, nullable=False),
        Column("epoch", Integer, nullable=False),
        Column("rev", BigInteger, nullable=False),
        Column("stamp", Double),
        Column("reported_at", _Instant),
        Column("received_at", _Instant, nullable=False),
        Column("flags", ARRAY(Text), nullable=False),
        Column("n_field_errors", Integer, nullable=False),
    )
    return columns


identity = Table(
    "identity",
    metadata,
    Column("database_id", Text, primary_key=True),
    Column("cluster", Text, nullable=False),
    Column("key_fingerprint", Text, nullable=False),
)

hosts = Table(
    "hosts",
    metadata,
    Column("host_id", Text, primary_key=True),
    Column("label", Text, nullable=False),
    Column("is_configured", Boolean, nullable=False),
)

cursors = Table(
    "cursors",
    metadata,
    Column("host_id", Text, primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("head_rev", BigInteger),  # NULL: nothing passed yet
    Column("head_id", Text),  # keyed hash of id, revision and timestamp of the header at head_rev
    Column("head_document", Text),  # public id of the same document
    Column("tail_rev", BigInteger),  # history is complete from here; 0: all of it
    Column("relist", Boolean, nullable=False),  # a full comparison is asked for
    Column("compared_at", _Instant),  # when the last one was complete
    Column("term", BigInteger, nullable=False),  # one more for each grabber that took the host over
    Column("state", Text),
    Column("error", Text),
    Column("polled_at", _Instant),
    Column("n_behind", BigInteger, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),  # a host's id, or "cluster"
    Column("holder_pid", Integer),  # PostgreSQL's process of the connection that holds the lock
    Column("stamped_at", _Instant, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    *_document_columns(),
    Column("run", Integer, nullable=False),
    Column("tag", Text(collation="C"), nullable=False),
    Column("attempt", Text),
    Column("run_key", Text),
    Column("release", Text),
    Column("config_name", Text),
    Column("first_reported_at", _Instant),
    Column("heard_at", _Instant, nullable=False),
    Column("process_at", _Instant),
    Column("input_ended_at", _Instant),
    Column("exit_code", Integer),
    Column("outcome", Text),  # the state that exit_code means; NULL while there is none
    Column("cmssw_run", Integer),
    Column("lumi", Integer),
    Column("next_lumi", Integer),
    Column("n_events", BigInteger),
    Column("rate_hz", REAL),  # as precise as the first mirror gave it
    Column("fi_state", SmallInteger),
    Column("rss_bytes", BigInteger),
    Column("peak_rss_bytes", BigInteger),
    Column("size_bytes", BigInteger),
    Column("swap_bytes", BigInteger),
    Column("anon_bytes", BigInteger),
    Column("n_threads", Integer),
    Column("process_state", Text),
    Column("has_log", Boolean, nullable=False),
    Column("n_removed", Integer, nullable=False),
    Column("input_gone", Boolean, nullable=False),
    Column("rate_spark", ARRAY(REAL), nullable=False),
    Column("memory_spark", ARRAY(Integer), nullable=False),
    Column("memory_slope_mb_per_hour", REAL),
    Column("odd_lumis", JSONB, nullable=False),  # [[first, last, grade, text], …]
    Index("jobs_run", "run", "tag"),
    Index("jobs_open", "run", "tag", postgresql_where=text("outcome IS NULL")),
    postgresql_with={"fillfactor": 80},  # a live job is rewritten every 30 s: room for that on its page
)

job_series = Table(
    "job_series",
    metadata,
    Column("document_id", Text(collation="C"), primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("rev", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

job_logs = Table(
    "job_logs",
    metadata,
    Column("document_id", Text(collation="C"), primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("rev", BigInteger, nullable=False),
    Column("n_head_chars", Integer, nullable=False),  # where the head ends and the tail begins
    Column("gap", Boolean, nullable=False),
    Column("body", LargeBinary),  # NULL once it was cleared out
)

deliveries = Table(
    "deliveries",
    metadata,
    *_document_columns(),
    Column("run", Integer, nullable=False),
    Column("tag", Text(collation="C"), nullable=False),
    Column("global_start", Double),
    Column("global_start_estimated", Boolean, nullable=False),
    Column("lumi_seconds", Double, nullable=False),
    Column("summary", JSONB, nullable=False),  # storage/delivery_rows.py
    Column("body", LargeBinary, nullable=False),
    Index("deliveries_run", "run"),
)

playbacks = Table(
    "playbacks",
    metadata,
    *_document_columns(),
    Column("run", Integer, nullable=False),
    Column("tag", Text(collation="C"), nullable=False),
    Column("state", Text, nullable=False),
    Column("lumi", Integer),
    Column("source_run", Integer),
    Column("run_key", Text),
    Column("n_lumis", Integer),
    Column("lumi_timeout_seconds", Double),
    Column("skipped_lumis", ARRAY(Integer), nullable=False),
    Index("playbacks_run", "run"),
)

host_memory = Table(
    "host_memory",
    metadata,
    *_document_columns(),
    Column("used_bytes", BigInteger),
    Column("free_bytes", BigInteger),
    Column("total_bytes", BigInteger),
    Column("available_bytes", BigInteger),
    Column("swap_free_bytes", BigInteger),
)

host_disks = Table(
    "host_disks",
    metadata,
    *_document_columns(),
    Column("tag", Text(collation="C"), nullable=False),
    Column("used_bytes", BigInteger),
    Column("free_bytes", BigInteger),
    Column("total_bytes", BigInteger),
    Column("n_files", BigInteger),
    Column("rename_percent", Double),
    Column("delete_percent", Double),
)

releases = Table(
    "releases",
    metadata,
    *_document_columns(),
    Column("name", Text, nullable=False),
    Column("built_at", _Instant),
    Column("pull_requests", ARRAY(Integer), nullable=False),
)

DOCUMENT_TABLES = (jobs, deliveries, playbacks, host_memory, host_disks, releases)

run_clients = Table(
    "run_clients",
    metadata,
    Column("run", Integer, primary_key=True),
    Column("tag", Text(collation="C"), primary_key=True),
    Column("n_jobs", Integer, nullable=False),
    Column("n_open", Integer, nullable=False),
    Column("n_finished", Integer, nullable=False),
    Column("n_stopped", Integer, nullable=False),
    Column("n_failed", Integer, nullable=False),
    Column("n_crashed", Integer, nullable=False),
    Column("n_input_gone", Integer, nullable=False),  # of the failed and the crashed: the run's files were gone
    Column("n_crashed_input_gone", Integer, nullable=False),  # of the crashed alone
    Column("max_lumi", Integer),
    Column("max_events", BigInteger),
    Column("last_heard_at", _Instant),
)

runs = Table(
    "runs",
    metadata,
    Column("run", Integer, primary_key=True),
    Column("run_key", Text),
    Column("release", Text),
    Column("cmssw_run", Integer),
    Column("n_jobs", Integer, nullable=False),
    Column("n_open", Integer, nullable=False),
    Column("n_finished", Integer, nullable=False),
    Column("n_stopped", Integer, nullable=False),
    Column("n_failed", Integer, nullable=False),
    Column("n_crashed", Integer, nullable=False),
    Column("n_input_gone", Integer, nullable=False),  # of the failed and the crashed: the run's files were gone
    Column("n_crashed_input_gone", Integer, nullable=False),  # of the crashed alone
    Column("last_lumi", Integer),
    Column("max_events", BigInteger),
    Column("max_rate_hz", REAL),
    Column("first_reported_at", _Instant),
    Column("last_reported_at", _Instant),
    Index("runs_of_key", "run_key", "run"),
    Index("runs_bad", "run", postgresql_where=text("n_failed + n_crashed > 0")),
    Index("runs_with_lumis", "run", postgresql_where=text("last_lumi > 0")),
)

run_listings = Table(
    "run_listings",
    metadata,
    Column("run", Integer, primary_key=True, autoincrement=False),
    Column("body", Text, nullable=False),  # JSON as get_runs of the first API gives it: storage/listings.py
)

host_statuses = Table(
    "host_statuses",
    metadata,
    Column("host_id", Text, primary_key=True),
    Column("since", _Instant, primary_key=True),
    Column("seen_at", _Instant, nullable=False),
    Column("is_up", Boolean),  # NULL: told, but neither up nor down
    Column("message", Text),
)

status_checks = Table(
    "status_checks",
    metadata,
    Column("cluster", Text, primary_key=True),
    Column("checked_at", _Instant),  # last successful question for cluster status
    Column("error", Text),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("quarantine_id", BigInteger, primary_key=True),
    Column("host_id", Text, nullable=False),
    Column("document_id", Text, nullable=False),  # "" where it is not known
    Column("epoch", Integer, nullable=False),
    Column("rev", BigInteger, nullable=False),  # -1 where it is not known
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),  # scrubbed, at most 200 characters
    Column("at", _Instant, nullable=False),
    UniqueConstraint("host_id", "document_id", "epoch", "rev", "reason"),
)

gaps = Table(
    "gaps",
    metadata,
    Column("host_id", Text, primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("first_rev", BigInteger, nullable=False),
    Column("last_rev", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", _Instant, nullable=False),
)

changes = Table(
    "changes",
    metadata,
    Column("change_id", BigInteger, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("run", Integer),
    Column("at", _Instant, nullable=False),
    Column("alarm_key", Text(collation="C")),  # of the alarm that was raised or resolved
)

alarms = Table(
    "alarms",
    metadata,
    Column("alarm_key", Text(collation="C"), primary_key=True),
    Column("rule", Text, nullable=False),
    Column("subject", Text(collation="C"), nullable=False),  # what may have one open alarm of a rule
    Column("words", Text, nullable=False),
    Column("run", Integer),
    Column("job_id", Text(collation="C")),
    Column("host_id", Text),
    Column("raised_at", _Instant, nullable=False),
    Column("resolved_at", _Instant),
    Index("alarms_open", "rule", "subject", unique=True, postgresql_where=text("resolved_at IS NULL")),
    Index("alarms_raised", "raised_at"),
)

webhook_outbox = Table(
    "webhook_outbox",
    metadata,
    Column("alarm_key", Text(collation="C"), primary_key=True),
    Column("queued_at", _Instant, nullable=False),
    Column("n_tries", Integer, nullable=False),
    Column("not_before", _Instant, nullable=False),  # when it may be tried, or tried again
    Column("sent_at", _Instant),
    Index("webhook_outbox_unsent", "not_before", postgresql_where=text("sent_at IS NULL")),
)
