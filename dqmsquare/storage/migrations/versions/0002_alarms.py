"""Alarms, and the outbox they are sent from."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("changes", sa.Column("alarm_key", sa.Text(collation="C"), nullable=True), schema="mirror")
    op.create_table(
        "alarms",
        sa.Column("alarm_key", sa.Text(collation="C"), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(collation="C"), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("run", sa.Integer(), nullable=True),
        sa.Column("job_id", sa.Text(collation="C"), nullable=True),
        sa.Column("host_id", sa.Text(), nullable=True),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("alarm_key"),
        schema="mirror",
    )
    # At most one open alarm of a rule and subject, whoever finds it.
    op.create_index(
        "alarms_open",
        "alarms",
        ["rule", "subject"],
        unique=True,
        schema="mirror",
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
    op.create_index("alarms_raised", "alarms", ["raised_at"], unique=False, schema="mirror")
    op.create_table(
        "webhook_outbox",
        sa.Column("alarm_key", sa.Text(collation="C"), nullable=False),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("n_tries", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("alarm_key"),
        schema="mirror",
    )
    op.create_index(
        "webhook_outbox_unsent",
        "webhook_outbox",
        ["not_before"],
        unique=False,
        schema="mirror",
        postgresql_where=sa.text("sent_at IS NULL"),
    )
