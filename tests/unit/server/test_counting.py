import pytest

from dqmsquare.server import counting
from dqmsquare.server.counting import CountingPlaces
from dqmsquare.server.responses import Problem


def test_only_so_much_is_counted_at_once():
    places = CountingPlaces(2, wait_seconds=0.01)
    with places.place(), places.place():
        with pytest.raises(Problem) as refused, places.place():
            pass
        assert (refused.value.status_code, refused.value.headers["Retry-After"]) == (503, "5")
    with places.place():
        pass


def test_a_place_is_free_again_after_a_failure():
    places = CountingPlaces(1, wait_seconds=0.01)
    with pytest.raises(ZeroDivisionError), places.place():
        raise ZeroDivisionError
    with places.place():
        pass


def test_a_long_line_is_refused_at_once_so_that_other_pages_keep_their_threads(monkeypatch):
    monkeypatch.setattr(counting, "_IN_LINE", 0)
    places = CountingPlaces(1, wait_seconds=60)
    with places.place(), pytest.raises(Problem) as refused, places.place():
        pass
    assert refused.value.status_code == 503
