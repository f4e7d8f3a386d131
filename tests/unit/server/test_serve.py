import os

import pytest

from dqmsquare.config import setting_fields
from dqmsquare.errors import KeyMismatch, SchemaMismatch, StoreUnavailable
from dqmsquare.server import serve
from dqmsquare.storage.opening import Place
from tests.unit.server.server_fakes import settings

PLACE = Place("/run/postgres", b"key")


def raising(*errors):
    """An open_place that raises one after the other, and then gives the place."""
    left = list(errors)

    def open_place(config, *, as_server):
        if left:
            raise left.pop(0)
        return PLACE

    return open_place


def test_threads_are_enough_for_all_streams_and_pages_besides():
    options = serve.granian_options(settings(SERVER_STREAMS_MAX="1200"))
    names = ("blocking_threads", "backpressure", "backlog", "workers_kill_timeout", "respawn_failed_workers")
    assert {name: options[name] for name in names} == {
        "blocking_threads": 1264,
        "backpressure": 2528,
        "backlog": 4096,
        "workers_kill_timeout": 8,
        "respawn_failed_workers": True,
    }


def test_granian_knows_all_these_options():
    import inspect

    from granian.server import Server

    assert serve.granian_options(settings()).keys() <= inspect.signature(Server.__init__).parameters.keys()


def test_security_h5k_secrets_leave_the_environment_and_nothing_else_does(monkeypatch):
    for field in setting_fields():
        monkeypatch.setenv(field.metadata["name"], "canary")
    serve.hide_secrets()
    left = {field.metadata["name"] for field in setting_fields() if field.metadata["name"] in os.environ}
    assert left == {field.metadata["name"] for field in setting_fields() if not field.metadata["secret"]}
    assert {"POSTGRES_PASSWORD", "PUBLIC_ID_KEY", "DQM_FFF_SECRET", "DQM_CR_USERNAMES"}.isdisjoint(left)


@pytest.mark.parametrize("error", [SchemaMismatch("run `python db.py upgrade`"), KeyMismatch("another key")])
def test_another_schema_or_key_ends_the_process_with_status_78(monkeypatch, capsys, error):
    monkeypatch.setattr(serve, "open_place", raising(error))
    with pytest.raises(SystemExit) as ended:
        serve.check_database(settings())
    assert (ended.value.code, capsys.readouterr().err) == (78, f"{error}\n")


def test_a_database_that_is_not_there_yet_is_waited_for(monkeypatch, caplog):
    waited: list[float] = []
    monkeypatch.setattr("dqmsquare.server.serve.time.sleep", waited.append)
    monkeypatch.setattr(serve, "open_place", raising(StoreUnavailable("gone"), StoreUnavailable("gone")))
    config = settings(POSTGRES_HOST="db", PUBLIC_ID_KEY="k" * 32)
    assert serve.check_database(config) is PLACE
    assert (len(waited), [record.getMessage() for record in caplog.records]) == (2, ["waiting for the database: gone"])


def test_an_embedded_database_that_does_not_start_ends_the_process(monkeypatch):
    monkeypatch.setattr(serve, "open_place", raising(StoreUnavailable("see its log")))
    with pytest.raises(SystemExit) as ended:
        serve.check_database(settings())
    assert ended.value.code == 1
