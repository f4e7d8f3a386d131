"""What the words of statistics mean, for people: said beside every table and picture."""

from dqmsquare.documents.log import INPUT_GONE
from dqmsquare.storage.statistics_rates import GROUPS_OF_RUNS

CRASHED, FAILED, STUCK, GONE, OPEN, GOOD, RATE, KIND, GROUPS, DELAY, STOP = (
    "crashed", "failed", "stuck", "files gone", "no end heard", "good", "rate", "kind", "points", "delay",
    "start and stop",
)  # fmt: skip


def meanings(stuck_after_seconds: float) -> dict[str, str]:
    """Each word with what it means; `stuck_after_seconds` is the setting STUCK_AFTER_SECONDS."""
    minutes = f"{stuck_after_seconds / 60:g} min"
    return {
        CRASHED: "killed by a signal other than SIGTERM and SIGINT: the exit code is negative, or 128 and more.",
        FAILED: "ended by itself with an exit code other than 0.",
        GONE: f"crashed or failed by its exit code, but its log says “{INPUT_GONE}”: the run's files were removed "
        "under it. That counts neither as a crash nor as a failure, and makes no run bad.",
        STUCK: f"without an exit code, and its last word came more than {minutes} before the run's last, or more than "
        f"{minutes} after it had said that its input was at its end. It is told afterwards, from the last report: "
        "a job whose host died long before the run's end counts too.",
        OPEN: "without an exit code, but not stuck: it still runs, or nobody heard how it ended.",
        GOOD: "a run in which none of the jobs in question crashed, failed or got stuck; every other one is bad, "
        "also where a second attempt went well.",
        RATE: "a client's events in a run over the time of the lumisections it got to, 23.31 s each. Mean and spread "
        "(σ) are those of the runs' rates, every run counting the same.",
        KIND: "by the run key: cosmics begin with cosmic, collisions with pp_, hi_ or hpu_; everything else is other.",
        GROUPS: f"each stands for neighbouring runs: of each kind at most {GROUPS_OF_RUNS} groups of equal size.",
        DELAY: "from a lumisection's end until its file is there, in seconds: mean and σ over the files of all "
        "streams, every stream counting the same.",
        STOP: "the start is the BU's word, or else (estimated) the first lumisection or the first report of a job; "
        "the stop is the last report of any of the run's jobs.",
    }
