"""Compact bodies: zstd made them small; PostgreSQL does not try again, and keeps a log's 2 KB in its row.

Cut in two and moved aside, with an index to find the halves by, a log takes a seventh more room.
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_TABLES = ("job_logs", "job_series", "deliveries")


def upgrade() -> None:
    for table in _TABLES:
        op.execute(f"ALTER TABLE mirror.{table} ALTER COLUMN body SET STORAGE EXTERNAL")
    op.execute("ALTER TABLE mirror.job_logs SET (toast_tuple_target = 8160)")
