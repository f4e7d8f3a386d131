"""The tables: made once, checked at each start, and as the program thinks they are."""

import re
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from dqmsquare.config import parse_config
from dqmsquare.errors import KeyMismatch, SchemaMismatch
from dqmsquare.storage.embedded import embedded_key
from dqmsquare.storage.opening import upgrade
from dqmsquare.storage.schema import check_schema, upgrade_schema
from dqmsquare.storage.tables import SCHEMA, metadata
from tests.postgres import KEY, TestPlace

OTHER_KEY = b"another-key-for-tests-of-32-bytes-or-more"


def test_the_migrations_make_what_the_program_knows(any_place: TestPlace):
    with any_place.owner().direct() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "include_name": lambda name, kind, _: kind != "schema" or name == SCHEMA,
                "version_table": "schema_version",
                "version_table_schema": SCHEMA,
                "compare_type": True,
            },
        )
        assert compare_metadata(context, metadata) == []


def test_upgrading_twice_changes_nothing(place: TestPlace):
    before = place.rows("SELECT * FROM mirror.identity")
    assert upgrade(place.config, place.place) == []
    assert place.rows("SELECT * FROM mirror.identity") == before


def test_f40_two_may_upgrade_an_empty_database_at_once(place: TestPlace):
    place.rows("DROP SCHEMA mirror CASCADE")
    failed: list[Exception] = []

    def upgrade_it() -> None:
        try:
            upgrade_schema(place.owner(), place.config, KEY)
        except Exception as error:  # noqa: BLE001  (whatever it is)
            failed.append(error)

    threads = [threading.Thread(target=upgrade_it) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    check_schema(place.owner(), KEY)


@pytest.mark.parametrize(
    ("version", "advice"), [("0000", "run `python db.py upgrade`"), ("9999", "use the program that made them")]
)
def test_f40_tables_of_another_version_are_refused_with_what_to_do(place: TestPlace, version: str, advice: str):
    place.rows(f"UPDATE mirror.schema_version SET version_num = '{version}'")
    with pytest.raises(SchemaMismatch, match=re.escape(advice)):
        check_schema(place.reader(), KEY)


def test_f40_tables_of_a_newer_program_are_not_upgraded(place: TestPlace):
    place.rows("UPDATE mirror.schema_version SET version_num = '9999'")
    with pytest.raises(SchemaMismatch, match="use the program that made them"):
        upgrade_schema(place.owner(), place.config, KEY)


def test_f40_a_database_without_tables_is_refused_the_same_way(place: TestPlace):
    place.rows("DROP SCHEMA mirror CASCADE")
    with pytest.raises(SchemaMismatch, match="version none"):
        check_schema(place.owner(), KEY)


def test_another_key_is_refused(place: TestPlace):
    with pytest.raises(KeyMismatch):
        check_schema(place.reader(), OTHER_KEY)
    with pytest.raises(KeyMismatch):
        upgrade_schema(place.owner(), place.config, OTHER_KEY)


def test_the_other_clusters_database_is_refused(place: TestPlace):
    swapped = {
        "POSTGRES_PRODUCTION_DB_NAME": place.environ["POSTGRES_PLAYBACK_DB_NAME"],
        "POSTGRES_PLAYBACK_DB_NAME": place.environ["POSTGRES_PRODUCTION_DB_NAME"],
    }
    config = parse_config({**place.environ, **swapped}, role="database", as_root=False)
    with pytest.raises(SchemaMismatch, match="belongs to the playback cluster"):
        upgrade(config, place.place)


def test_without_the_right_to_make_roles_the_statements_are_given_back(place: TestPlace):
    for statement in ("DROP ROLE IF EXISTS plain_owner", "CREATE ROLE plain_owner LOGIN"):
        place.server.execute(statement)
    name = place.config.database_name("production")
    place.rows("DROP SCHEMA mirror CASCADE")
    place.server.execute(f"GRANT ALL ON DATABASE {name} TO plain_owner")
    settings = {"POSTGRES_USERNAME": "plain_owner", "POSTGRES_SERVER_USERNAME": "not_there_yet"}
    config = parse_config({**place.environ, **settings}, role="database", as_root=False)
    from dqmsquare.storage.engine import owner_database

    database = owner_database(config, "production", place.server.host, name="test")
    refused = upgrade_schema(database, config, KEY)
    assert refused[:3] == [
        "CREATE ROLE not_there_yet LOGIN",
        "GRANT USAGE ON SCHEMA mirror TO not_there_yet",
        "GRANT SELECT ON ALL TABLES IN SCHEMA mirror TO not_there_yet",
    ]
    assert all(line.startswith("GRANT ") and line.endswith(" TO not_there_yet") for line in refused[3:])


def test_the_embedded_database_has_a_key_of_its_own(tmp_path: Path):
    key = embedded_key(tmp_path / "postgres")
    assert len(key) >= 32
    assert embedded_key(tmp_path / "postgres") == key
    [path] = tmp_path.glob("*public_id_key")
    assert path.stat().st_mode & 0o777 == 0o600
