"""The Control Room: sessions, limits, lists of DQM²'s, acknowledgements, and the audit that nobody can change."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# The server's role may not change rows anyhow; this holds for the owner too, who may clear out what is old.
_GUARD = """
CREATE FUNCTION mirror.guard_audit() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF TG_OP = 'DELETE' AND OLD.at < clock_timestamp() - interval '1 day'
       AND pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE') THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the audit is never changed' USING ERRCODE = 'insufficient_privilege';
END
$$
"""
_ROWS = """
CREATE TRIGGER audit_rows BEFORE UPDATE OR DELETE ON mirror.audit
FOR EACH ROW EXECUTE FUNCTION mirror.guard_audit()
"""
_WHOLE = """
CREATE TRIGGER audit_whole BEFORE TRUNCATE ON mirror.audit
FOR EACH STATEMENT EXECUTE FUNCTION mirror.guard_audit()
"""


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("audit_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("action_id", sa.Text(collation="C"), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("login", sa.Text(), nullable=True),
        sa.Column("dn_hash", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("host_id", sa.Text(), nullable=True),
        sa.Column("cluster", sa.Text(), nullable=True),
        sa.Column("parameters", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("audit_id"),
        sa.UniqueConstraint("action_id", "stage", name="audit_action"),
        schema="mirror",
    )
    op.create_index("audit_at", "audit", ["at"], unique=False, schema="mirror")
    for statement in (_GUARD, _ROWS, _WHOLE):
        op.execute(statement)
    op.create_table(
        "control_room_sessions",
        sa.Column("session_hash", sa.Text(collation="C"), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("secret_stamp", sa.Text(), nullable=False),
        sa.Column("login", sa.Text(), nullable=True),
        sa.Column("dn_hash", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stepped_up_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("session_hash"),
        schema="mirror",
    )
    op.create_table(
        "control_room_limits",
        sa.Column("bucket", sa.Text(collation="C"), nullable=False),
        sa.Column("n_failed", sa.Double(), nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("wait_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("bucket"),
        schema="mirror",
    )
    op.create_table(
        "control_room_lists",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("items", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("listed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("kind", "subject"),
        schema="mirror",
    )
    op.create_table(
        "acknowledgements",
        sa.Column("alarm_key", sa.Text(collation="C"), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("alarm_key"),
        schema="mirror",
    )
