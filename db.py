"""The database by hand: `upgrade` its tables, `import-first-mirror`'s history, `drop-first-mirror` afterwards."""

import argparse
import sys

import dqmsquare_cfg
from dqmsquare.config import CLUSTERS, Config
from dqmsquare.errors import ImportRefused, KeyMismatch, SchemaMismatch, StoreUnavailable
from dqmsquare.storage.first_mirror.command import drop_tables, import_tables
from dqmsquare.storage.opening import find_place, open_place, upgrade

EXIT_STATUS = {ImportRefused: 1, StoreUnavailable: 69, KeyMismatch: 78, SchemaMismatch: 78}  # sysexits.h's, where any
EXIT_INTERRUPTED = 130


def main() -> int:
    """Reads the arguments and does what they say. Returns the exit status."""
    arguments = _arguments()
    config = dqmsquare_cfg.load("database")
    try:
        arguments.run(config, arguments)
    except tuple(EXIT_STATUS) as error:
        print(error, file=sys.stderr)
        return EXIT_STATUS[type(error)]
    except KeyboardInterrupt:
        print("Ended; the same command goes on from here.", file=sys.stderr)
        return EXIT_INTERRUPTED
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Looks after the mirror's databases.")
    commands = parser.add_subparsers(dest="command", required=True)
    upgrading = commands.add_parser("upgrade", help="make the tables, or bring them to this program's version")
    upgrading.set_defaults(run=_upgrade)
    importing = commands.add_parser("import-first-mirror", help="take over the tables of the mirror that was before")
    importing.set_defaults(run=_import)
    dropping = commands.add_parser("drop-first-mirror", help="remove these tables once everything of them is here")
    dropping.set_defaults(run=_drop)
    dropping.add_argument("--yes", action="store_true", help="do not ask")
    for command in (importing, dropping):
        command.add_argument("--cluster", choices=CLUSTERS, help="of one cluster alone")
        command.add_argument("--dsn", help="another database that has the tables, in libpq's words or as an address")
        command.add_argument(
            "--clock", metavar="ZONE", help="the time zone of the first mirror's clock, if not measured"
        )
    arguments = parser.parse_args()
    if arguments.command == "import-first-mirror" and arguments.dsn and not arguments.cluster:
        parser.error("--dsn names one database: say with --cluster whose it is")
    return arguments


def _upgrade(config: Config, _: argparse.Namespace) -> None:
    refused = upgrade(config, find_place(config))
    if refused:
        print("The tables are ready. These statements need somebody with more rights:")
        print("\n".join(f"  {line};" for line in refused))
    else:
        print("The tables are ready.")


def _clusters(arguments: argparse.Namespace) -> tuple[str, ...]:
    return (arguments.cluster,) if arguments.cluster else CLUSTERS


def _import(config: Config, arguments: argparse.Namespace) -> None:
    import_tables(
        config,
        open_place(config),
        _clusters(arguments),
        dsn=arguments.dsn,
        clock=arguments.clock,
    )


def _drop(config: Config, arguments: argparse.Namespace) -> None:
    if arguments.dsn:
        raise ImportRefused("only tables beside the new ones are dropped; another database is its owner's to drop")
    drop_tables(
        config,
        open_place(config),
        _clusters(arguments),
        clock=arguments.clock,
        confirmed=arguments.yes,
    )


if __name__ == "__main__":
    sys.exit(main())
