"""Alembic's entry: runs the migrations on the connection that storage/schema.py hands over."""

from alembic import context

from dqmsquare.storage.tables import SCHEMA, metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    version_table="schema_version",
    version_table_schema=SCHEMA,
    include_schemas=True,
    include_name=lambda name, kind, _: kind != "schema" or name == SCHEMA,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
