from collections.abc import Iterator

import pytest

from tests.faults.wire import Wire, wired
from tests.postgres import TestPlace


@pytest.fixture
def wire(place: TestPlace) -> Iterator[Wire]:
    """One host over HTTP, its grabber, and databases of the test's own."""
    with wired(place) as made:
        yield made
