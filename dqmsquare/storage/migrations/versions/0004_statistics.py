"""Statistics: jobs whose input was gone, counted apart; jobs without an end are found by themselves."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_COUNTS = ("n_input_gone", "n_crashed_input_gone")


def upgrade() -> None:
    _add("jobs", "input_gone", sa.Boolean(), "false")
    for table in ("runs", "run_clients"):
        for name in _COUNTS:
            _add(table, name, sa.Integer(), "0")
    op.create_index(
        "jobs_open", "jobs", ["run", "tag"], unique=False, schema="mirror", postgresql_where=sa.text("outcome IS NULL")
    )


def _add(table: str, name: str, kind: sa.Boolean | sa.Integer, value: str) -> None:
    # The default is for the rows there are; whoever writes a new one says what it is.
    op.add_column(table, sa.Column(name, kind, nullable=False, server_default=value), schema="mirror")
    op.alter_column(table, name, server_default=None, schema="mirror")
