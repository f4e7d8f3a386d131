"""What the mirror holds of a host, to be compared with what upstream lists."""

from sqlalchemy import Connection, select, union_all

from dqmsquare.storage.tables import DOCUMENT_TABLES

Held = tuple[int, int, float | None]  # epoch, rev, stamp
_ROWS_AT_A_TIME = 5_000


def held_of_host(connection: Connection, host_id: str) -> dict[str, Held]:
    """Every stored document of a host by its public id; about 200 bytes of memory each.

    Reads the tables whole, once a day: an index for it would cost each write.
    """
    parts = (
        select(t.c.document_id, t.c.epoch, t.c.rev, t.c.stamp).where(t.c.host_id == host_id) for t in DOCUMENT_TABLES
    )
    result = connection.execute(union_all(*parts), execution_options={"yield_per": _ROWS_AT_A_TIME})
    return {row.document_id: (row.epoch, row.rev, row.stamp) for row in result}
