"""Indexes for lists of runs: of one run key, bad ones, those with lumisections."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("runs_of_key", "runs", ["run_key", "run"], unique=False, schema="mirror")
    op.create_index(
        "runs_bad",
        "runs",
        ["run"],
        unique=False,
        schema="mirror",
        postgresql_where=sa.text("n_failed + n_crashed > 0"),
    )
    op.create_index(
        "runs_with_lumis", "runs", ["run"], unique=False, schema="mirror", postgresql_where=sa.text("last_lumi > 0")
    )
