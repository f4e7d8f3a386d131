"""The database by hand: `python db.py upgrade` brings the tables to this program's version."""

import argparse
import sys

import dqmsquare_cfg
from dqmsquare.errors import KeyMismatch, StoreUnavailable
from dqmsquare.storage.opening import find_place, upgrade

EXIT_UNAVAILABLE = 69  # EX_UNAVAILABLE
EXIT_WRONG_KEY = 78  # EX_CONFIG


def main() -> int:
    """Reads the arguments and does what they say. Returns the exit status."""
    parser = argparse.ArgumentParser(description="Looks after the mirror's databases.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("upgrade", help="make the tables, or bring them to this program's version")
    parser.parse_args()
    config = dqmsquare_cfg.load("database")
    try:
        refused = upgrade(config, find_place(config))
    except KeyMismatch as error:
        print(error, file=sys.stderr)
        return EXIT_WRONG_KEY
    except StoreUnavailable as error:
        print(error, file=sys.stderr)
        return EXIT_UNAVAILABLE
    if refused:
        print("The tables are ready. These statements need somebody with more rights:")
        print("\n".join(f"  {line};" for line in refused))
    else:
        print("The tables are ready.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
