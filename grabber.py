"""The grabber: `python grabber.py [production|playback] [--full-check]`; without a cluster it grabs both."""

import argparse
import sys

import dqmsquare_cfg
from dqmsquare.config import CLUSTERS
from dqmsquare.errors import KeyMismatch, SchemaMismatch, StoreUnavailable
from dqmsquare.grabber.supervisor import run_grabber
from dqmsquare.logs import start_logging

EXIT_UNAVAILABLE = 69  # EX_UNAVAILABLE
EXIT_WRONG_SCHEMA = 78  # EX_CONFIG


def main() -> int:
    """Reads the arguments, checks settings and database, and runs. Returns the exit status."""
    parser = argparse.ArgumentParser(description="Replicates DQM²'s documents into PostgreSQL.")
    parser.add_argument("cluster", nargs="?", choices=CLUSTERS, help="the cluster to grab (default: both)")
    parser.add_argument("--full-check", action="store_true", help="compare every document once, right after the start")
    arguments = parser.parse_args()
    name = f"grabber_{arguments.cluster}" if arguments.cluster else "grabber"
    config = dqmsquare_cfg.load(name)
    start_logging(config, name, debug=config.grabber_debug)
    clusters = (arguments.cluster,) if arguments.cluster else CLUSTERS
    try:
        return run_grabber(clusters, config, full_check=arguments.full_check)
    except (SchemaMismatch, KeyMismatch) as error:
        print(error, file=sys.stderr)
        return EXIT_WRONG_SCHEMA
    except StoreUnavailable as error:
        print(error, file=sys.stderr)
        return EXIT_UNAVAILABLE


if __name__ == "__main__":
    sys.exit(main())
