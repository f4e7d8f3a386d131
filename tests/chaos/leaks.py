"""After the chaos: what must not leave is looked for in everything that the mirror stored, showed, said and measured."""

from tests.acceptance.everything_shown import api_answers, crawl, dump, fetch, logs, pushed
from tests.acceptance.leak_detector import LeakDetector, known_values
from tests.chaos.stage import HOSTS, Stage

_PAGES_AT_LEAST = 20
_SHOWN_OF_EACH = 5


def leaks(stage: Stage) -> list[str]:
    """Where something was found, and what; empty where all is well."""
    detector = LeakDetector(_known(stage))
    found = {where: detector.found(text) for where, text in _everything(stage).items()}
    found["logs"] = detector.found(logs(stage.mirror))  # last: they tell of all that was asked
    return [f"{where}: {', '.join(values[:_SHOWN_OF_EACH])}" for where, values in found.items() if values]


def _known(stage: Stage) -> set[str]:
    stores = stage.simulator.stores
    documents = [
        document
        for store in stores.values()
        for document in store.documents([header["_id"] for header in store.headers_from(None)])
    ]
    return known_values(documents, stage.mirror.environ) | set(HOSTS)


def _everything(stage: Stage) -> dict[str, str]:
    shown = crawl(stage.mirror)
    assert len(shown) >= _PAGES_AT_LEAST, sorted(shown)
    shown |= api_answers(stage.mirror, "production")
    shown |= {"database": dump(stage.mirror, "production"), "pushed": pushed(stage.mirror, "production")}
    metrics = {name: fetch(f"http://127.0.0.1:{port}/metrics") for name, port in stage.monitoring_ports.items()}
    return shown | {f"metrics of the {name}": text for name, text in metrics.items()}
