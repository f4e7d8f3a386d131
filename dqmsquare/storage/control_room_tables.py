"""The Control Room's tables, in the same schema as the others; those of the production database are in use."""

from sqlalchemy import BigInteger, Column, DateTime, Double, Identity, Index, Table, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB

from dqmsquare.storage.tables import SCHEMA, metadata

_Instant = DateTime(timezone=True)

audit = Table(
    "audit",
    metadata,
    Column("audit_id", BigInteger, Identity(always=True), primary_key=True),
    Column("action_id", Text(collation="C"), nullable=False),  # joins the two rows of an action
    Column("stage", Text, nullable=False),  # begun, ended; whole for what is told in one row
    Column("at", _Instant, nullable=False),
    Column("account", Text, nullable=False),
    Column("login", Text),  # the front-end's, verified
    Column("dn_hash", Text),
    Column("address", Text, nullable=False),
    Column("command", Text, nullable=False),
    Column("host_id", Text),
    Column("cluster", Text),
    Column("parameters", JSONB, nullable=False),  # a machine by its public id
    Column("result", Text),  # NULL while it is not known
    Column("detail", Text, nullable=False),
    Column("seconds", Double),
    UniqueConstraint("action_id", "stage", name="audit_action"),
    Index("audit_at", "at"),
)

control_room_sessions = Table(
    "control_room_sessions",
    metadata,
    Column("session_hash", Text(collation="C"), primary_key=True),  # of the cookie's value, which is stored nowhere
    Column("account", Text, nullable=False),
    Column("secret_stamp", Text, nullable=False),  # tells whether the account still has the password of then
    Column("login", Text),
    Column("dn_hash", Text),
    Column("address", Text, nullable=False),
    Column("created_at", _Instant, nullable=False),
    Column("seen_at", _Instant, nullable=False),
    Column("stepped_up_at", _Instant),
)

control_room_limits = Table(
    "control_room_limits",
    metadata,
    Column("bucket", Text(collation="C"), primary_key=True),  # hash of who tries
    Column("n_failed", Double, nullable=False),  # drains with time
    Column("failed_at", _Instant, nullable=False),
    Column("wait_until", _Instant, nullable=False),
)

control_room_lists = Table(
    "control_room_lists",
    metadata,
    Column("kind", Text, primary_key=True),  # clients, runs
    Column("subject", Text, primary_key=True),  # a machine's public id, or ""
    Column("items", JSONB, nullable=False),
    Column("listed_at", _Instant, nullable=False),
)

acknowledgements = Table(
    "acknowledgements",
    metadata,
    Column("alarm_key", Text(collation="C"), primary_key=True),
    Column("account", Text, nullable=False),
    Column("acknowledged_at", _Instant, nullable=False),
)

CONTROL_ROOM_RIGHTS = (  # of the server's role, beyond reading
    f"INSERT ON {SCHEMA}.audit, {SCHEMA}.acknowledgements",
    f"INSERT, UPDATE, DELETE ON {SCHEMA}.control_room_sessions, {SCHEMA}.control_room_limits",
    f"INSERT, UPDATE ON {SCHEMA}.control_room_lists",
)
