"""What may stand in the settings, and the one frozen object that holds them. Reading `.env` is dqmsquare_cfg.py's."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dqmsquare import config_values as value
from dqmsquare.control_room_accounts import control_room_problems
from dqmsquare.errors import ConfigError

CLUSTERS = ("production", "playback")
PUBLIC_ID_KEY_MIN_BYTES = 32
DEVELOPMENT = "development"
MOUNTED_VOLUME = "/cinder/dqmsquare"  # where CMSWEB's Kubernetes mounts the claim


@dataclass(frozen=True, kw_only=True)
class Config:
    """All settings, checked. Secrets do not show in its repr."""

    env: str = value.setting(
        "ENV", value.one_of(DEVELOPMENT, "testbed", "test4", "production"), DEVELOPMENT, "Where this runs."
    )
    # The database
    postgres_host: str = value.setting(
        "POSTGRES_HOST",
        value.plain,
        "",
        "PostgreSQL's host or socket folder; empty: the embedded one (development only).",
    )
    postgres_port: int = value.setting("POSTGRES_PORT", value.integer(1, 65535), "5432", "PostgreSQL's port.")
    postgres_username: str = value.setting(
        "POSTGRES_USERNAME", value.role, "postgres", "The role that owns the tables; the grabber writes with it."
    )
    postgres_password: str = value.setting("POSTGRES_PASSWORD", value.password, "", "Its password.", secret=True)
    postgres_server_username: str = value.setting(
        "POSTGRES_SERVER_USERNAME", value.role, "dqm_server", "The role the server connects as; it may hardly write."
    )
    postgres_server_password: str = value.setting(
        "POSTGRES_SERVER_PASSWORD", value.password, "", "Its password.", secret=True
    )
    postgres_production_db_name: str = value.setting(
        "POSTGRES_PRODUCTION_DB_NAME",
        value.database_name,
        "postgres_production",
        "The database of the production cluster.",
    )
    postgres_playback_db_name: str = value.setting(
        "POSTGRES_PLAYBACK_DB_NAME", value.database_name, "postgres", "The database of the playback cluster."
    )
    embedded_postgres_dir: Path = value.setting(
        "EMBEDDED_POSTGRES_DIR",
        value.path,
        "",
        "Data folder of the embedded PostgreSQL (default tmp/postgres; as root /var/lib/dqmsquare/postgres).",
    )
    public_id_key: bytes | None = value.setting(
        "PUBLIC_ID_KEY",
        value.token,
        "",
        "Secret of at least 32 bytes that public ids are made with; the same for all processes; back it up. "
        "Required with POSTGRES_HOST; the embedded database makes its own.",
        secret=True,
    )
    # DQM²
    server_grid_cert_path: Path = value.setting(
        "SERVER_GRID_CERT_PATH", value.path, "", "Grid certificate, PEM (default as for a robot, or ~/.globus)."
    )
    server_grid_key_path: Path = value.setting("SERVER_GRID_KEY_PATH", value.path, "", "Its key, PEM, not encrypted.")
    cmsweb_frontend_proxy_url: str = value.setting(
        "CMSWEB_FRONTEND_PROXY_URL",
        value.http_url,
        "https://cmsweb.cern.ch/dqm/dqm-square-origin",
        "DQM² as CMSWEB's front-end shows it.",
    )
    ca_bundle: Path | None = value.setting(
        "CA_BUNDLE", value.optional_path, "", "PEM file of the authorities that vouch for DQM²; empty: the usual ones."
    )
    tls_verify: bool = value.setting(
        "TLS_VERIFY", value.switch, "1", "0 turns verification of DQM²'s certificate off: never outside a test."
    )
    server_fff_machine: str = value.setting(
        "SERVER_FFF_MACHINE", value.host, "dqmrubu-c2a06-03-01", "The host that the proxy stands on; asked directly."
    )
    fff_playback_machines: tuple[str, ...] = value.setting(
        "FFF_PLAYBACK_MACHINES",
        value.hosts,
        "dqmrubu-c2a06-03-01;dqmfu-c2b01-45-01;dqmfu-c2b02-45-01",
        "Hosts of the playback cluster, semicolons between.",
    )
    fff_production_machines: tuple[str, ...] = value.setting(
        "FFF_PRODUCTION_MACHINES",
        value.hosts,
        "dqmrubu-c2a06-01-01;dqmfu-c2b03-45-01;dqmfu-c2b04-45-01",
        "Hosts of the production cluster, semicolons between.",
    )
    dqm_fff_secret: str = value.setting(
        "DQM_FFF_SECRET", value.token, "", "Value of the cookie DQM² wants.", secret=True
    )
    # The grabber
    grabber_sleep_time_info: float = value.setting(
        "GRABBER_SLEEP_TIME_INFO", value.seconds(0.05, 3600), "1", "Seconds between two polls of a host."
    )
    grabber_sleep_time_status: float = value.setting(
        "GRABBER_SLEEP_TIME_STATUS",
        value.seconds(0.05, 3600),
        "30",
        "Seconds between two questions for cluster status.",
    )
    grabber_debug: bool = value.setting("GRABBER_DEBUG", value.switch, "0", "More lines in the grabber's log.")
    upstream_deadline_seconds: float = value.setting(
        "UPSTREAM_DEADLINE_SECONDS", value.seconds(0.1, 600), "30", "An answer of DQM² must have ended by then."
    )
    listing_deadline_seconds: float = value.setting(
        "LISTING_DEADLINE_SECONDS", value.seconds(0.1, 3600), "300", "The same for a full listing."
    )
    listing_pause_seconds: float = value.setting(
        "LISTING_PAUSE_SECONDS", value.seconds(0.1, 600), "30", "Longest pause between two messages of a full listing."
    )
    backoff_max_seconds: float = value.setting(
        "BACKOFF_MAX_SECONDS", value.seconds(0.1, 600), "10", "Longest wait before a host that fails is tried again."
    )
    auth_retry_seconds: float = value.setting(
        "AUTH_RETRY_SECONDS", value.seconds(0.1, 3600), "60", "Wait after DQM² refused certificate or cookie."
    )
    outage_probe_seconds: float = value.setting(
        "OUTAGE_PROBE_SECONDS", value.seconds(0.05, 600), "3", "While all of DQM² is away, one request in that time."
    )
    takeover_seconds: float = value.setting(
        "TAKEOVER_SECONDS",
        value.seconds(0.5, 600),
        "10",
        "A standby takes a host over that was not stamped for so long.",
    )
    full_check_seconds: float = value.setting(
        "FULL_CHECK_SECONDS", value.seconds(1, 10_000_000), "86400", "Time between two full comparisons of a host."
    )
    relist_seconds: float = value.setting(
        "RELIST_SECONDS",
        value.seconds(0.1, 86400),
        "600",
        "Shortest time between two comparisons that faults asked for.",
    )
    # The server
    server_bind: str = value.setting(
        "SERVER_BIND",
        value.plain,
        "",
        "Address the server listens on (default 127.0.0.1 in development, else 0.0.0.0).",
    )
    server_port: int = value.setting(
        "SERVER_PORT", value.integer(0, 65535), "", "Its port (default 8887 in development, else 8084)."
    )
    server_workers: int = value.setting("SERVER_WORKERS", value.integer(1, 64), "1", "Processes that answer.")
    server_streams_max: int = value.setting(
        "SERVER_STREAMS_MAX", value.integer(1, 20_000), "1200", "Open pages with a live stream per worker."
    )
    server_url_prefix: str = value.setting(
        "SERVER_URL_PREFIX", value.prefix, "", "Path under which everything lies; dqm/dqm-square on CMSWEB."
    )
    server_public_url: str = value.setting(
        "SERVER_PUBLIC_URL", value.optional_http_url, "", "Where people reach the server; for links and origin checks."
    )
    server_debug: bool = value.setting("SERVER_DEBUG", value.switch, "0", "More lines in the server's log.")
    trusted_proxy_hops: int = value.setting(
        "TRUSTED_PROXY_HOPS", value.integer(0, 10), "0", "Proxies in front whose X-Forwarded-For is believed."
    )
    stuck_after_seconds: float = value.setting(
        "STUCK_AFTER_SECONDS", value.seconds(121, 86400), "900", "Silence after which a job counts as stuck."
    )
    memory_slope_warning_mb_per_hour: int = value.setting(
        "MEMORY_SLOPE_WARNING_MB_PER_HOUR", value.integer(1, 1_000_000), "200", "Growth of memory that is marked."
    )
    # The Control Room
    control_room: str = value.setting(
        "CONTROL_ROOM",
        value.one_of("on", "read-only", "off"),
        "on",
        "Whether /cr is there, and whether it may change things.",
    )
    dqm_cr_usernames: str = value.setting(
        "DQM_CR_USERNAMES", value.password, "", "Accounts of the Control Room, name:password or name:hash.", secret=True
    )
    dqm_cr_viewers: str = value.setting(
        "DQM_CR_VIEWERS", value.plain, "", "Accounts that may only read, semicolons between."
    )
    dqm_cr_dns: str = value.setting(
        "DQM_CR_DNS",
        value.plain,
        "",
        "Front-end identities (login=account or DN=account) that accounts are tied to, semicolons between.",
    )
    dqm_cr_allow_plain_passwords: bool = value.setting(
        "DQM_CR_ALLOW_PLAIN_PASSWORDS",
        value.switch,
        "0",
        "1 takes passwords that are not hashed outside development too.",
    )
    dqm_cr_session_idle_seconds: float = value.setting(
        "DQM_CR_SESSION_IDLE_SECONDS", value.seconds(60, 86400), "3600", "A session ends so long after its last use."
    )
    dqm_cr_session_max_seconds: float = value.setting(
        "DQM_CR_SESSION_MAX_SECONDS", value.seconds(60, 604800), "43200", "A session ends so long after its beginning."
    )
    dqm_cr_step_up_seconds: float = value.setting(
        "DQM_CR_STEP_UP_SECONDS", value.seconds(10, 3600), "300", "The password is asked again after so long."
    )
    dqm_cr_deadline_seconds: float = value.setting(
        "DQM_CR_DEADLINE_SECONDS", value.seconds(1, 600), "75", "DQM² must have answered a command by then."
    )
    cms_auth_hmac_file: tuple[Path, ...] = value.setting(
        "CMS_AUTH_HMAC_FILE",
        value.paths,
        "",
        "Key files of CMSWEB's front-end, semicolons between; its identities are verified with them.",
    )
    cms_auth_require: str = value.setting(
        "CMS_AUTH_REQUIRE",
        value.one_of("", "require", "off"),
        "",
        "Whether the Control Room wants a verified identity beside the password: require or off "
        "(default: require with CMS_AUTH_HMAC_FILE; off on one's own machine).",
    )
    simulator_run_keys: tuple[str, ...] = value.setting(
        "SIMULATOR_RUN_KEYS", value.words, "cosmic_run;pp_run;hi_run", "Run keys a playback may be started with."
    )
    # Watching
    monitoring_port: int = value.setting(
        "MONITORING_PORT",
        value.integer(0, 65535),
        "",
        "Port of /metrics, /healthz and /readyz; 0: none (default 18084 server, 18085 grabber of production or of "
        "both, 18086 grabber of playback).",
    )
    alert_webhook_url: str = value.setting(
        "ALERT_WEBHOOK_URL", value.webhook_url, "", "Incoming webhook of Mattermost that alarms go to.", secret=True
    )
    webhook_deadline_seconds: float = value.setting(
        "WEBHOOK_DEADLINE_SECONDS", value.seconds(0.1, 600), "10", "The webhook must have answered by then."
    )
    webhook_backoff_max_seconds: float = value.setting(
        "WEBHOOK_BACKOFF_MAX_SECONDS", value.seconds(0.1, 86400), "300", "Longest wait before it is tried again."
    )
    webhook_takeover_seconds: float = value.setting(
        "WEBHOOK_TAKEOVER_SECONDS",
        value.seconds(0.5, 86400),
        "60",
        "A server sends the alarms of a cluster whose grabber gave no sign of life for so long.",
    )
    behind_after_seconds: float = value.setting(
        "BEHIND_AFTER_SECONDS", value.seconds(0.5, 86400), "60", "Alarm for a host that was not polled for so long."
    )
    client_missing_after_seconds: float = value.setting(
        "CLIENT_MISSING_AFTER_SECONDS",
        value.seconds(0.5, 86400),
        "300",
        "Alarm for a client that is expected and has no job so long after the run's start.",
    )
    # Files and how long things are kept
    log_dir: Path = value.setting(
        "LOG_DIR", value.path, "", "Folder of the log files (default log, else on the mounted volume)."
    )
    tmp_dir: Path = value.setting(
        "TMP_DIR", value.path, "", "Folder for short-lived files (default tmp, else likewise)."
    )
    log_retention_days: int = value.setting(
        "LOG_RETENTION_DAYS", value.integer(0, 36500), "0", "Age of job logs; 0: for ever."
    )
    audit_retention_days: int = value.setting(
        "AUDIT_RETENTION_DAYS", value.integer(1, 36500), "365", "Age of the audit."
    )
    alarm_retention_days: int = value.setting(
        "ALARM_RETENTION_DAYS", value.integer(1, 36500), "365", "Age of alarms that are over."
    )
    quarantine_retention_days: int = value.setting(
        "QUARANTINE_RETENTION_DAYS", value.integer(1, 36500), "90", "Age of what stands in quarantine."
    )
    # Trying it
    failpoint: str = value.setting(
        "DQMSQUARE_FAILPOINT",
        value.plain,
        "",
        "WHEN:STATEMENT:ACTION, such as before:insert-jobs:exit, for the grabber's tests; only with ENV=development.",
    )

    def __repr__(self) -> str:
        shown = (f for f in dataclasses.fields(self) if not f.metadata["secret"])
        return "Config(" + ", ".join(f"{f.name}={getattr(self, f.name)!r}" for f in shown) + ")"

    @property
    def development(self) -> bool:
        """Whether this is somebody's own machine, where defaults are easy-going."""
        return self.env == DEVELOPMENT

    @property
    def embedded(self) -> bool:
        """Whether the private PostgreSQL is used."""
        return not self.postgres_host

    @property
    def requires_identity(self) -> bool:
        """Whether the Control Room wants an identity that the front-end signed."""
        return self.cms_auth_require == "require" or (not self.cms_auth_require and bool(self.cms_auth_hmac_file))

    def machines(self, cluster: str) -> tuple[str, ...]:
        """Short host names of a cluster."""
        return self.fff_production_machines if cluster == "production" else self.fff_playback_machines

    def database_name(self, cluster: str) -> str:
        """The name of a cluster's database."""
        return self.postgres_production_db_name if cluster == "production" else self.postgres_playback_db_name


def setting_fields() -> tuple[dataclasses.Field[Any], ...]:
    """Config's fields; each has name, default, meaning and secret in its metadata."""
    return dataclasses.fields(Config)


def parse_config(environ: Mapping[str, str], *, role: str, as_root: bool) -> Config:
    """The settings in `environ` as one object.

    `role` is server, grabber_production, grabber_playback, grabber or database: only what it needs must be there.
    Raises ConfigError with every problem at once.
    """
    problems: list[str] = []
    defaults = _worked_out_defaults(environ, role=role, as_root=as_root)
    values: dict[str, Any] = {}
    for field in setting_fields():
        default = defaults.get(field.metadata["name"], field.metadata["default"])
        try:
            values[field.name] = value.read(field, environ, default)
        except value.Refused as refused:
            problems.extend(refused.args)
    if not problems:
        values["public_id_key"] = values["public_id_key"].encode() if values["public_id_key"] else None
        config = Config(**values)
        problems.extend(_inconsistencies(config, role))
        if not problems:
            return config
    raise ConfigError(problems)


def _worked_out_defaults(environ: Mapping[str, str], *, role: str, as_root: bool) -> dict[str, str]:
    development = (environ.get("ENV", "").strip() or DEVELOPMENT) == DEVELOPMENT
    monitoring = {"server": "18084", "grabber_playback": "18086"}.get(role, "18085")
    return {
        "EMBEDDED_POSTGRES_DIR": "/var/lib/dqmsquare/postgres" if as_root else "tmp/postgres",
        "SERVER_GRID_CERT_PATH": "~/.globus/usercert.pem" if development else "/etc/robots/robotcert.pem",
        "SERVER_GRID_KEY_PATH": "~/.globus/userkey.pem" if development else "/etc/robots/robotkey.pem",
        "SERVER_BIND": "127.0.0.1" if development else "0.0.0.0",  # noqa: S104  (a container must be reachable)
        "SERVER_PORT": "8887" if development else "8084",
        "MONITORING_PORT": monitoring,
        "LOG_DIR": "log" if development else f"{MOUNTED_VOLUME}/log",
        "TMP_DIR": "tmp" if development else f"{MOUNTED_VOLUME}/tmp",  # noqa: S108  (on the volume, not the shared /tmp)
    }


def _inconsistencies(config: Config, role: str) -> list[str]:
    problems = []
    if config.embedded and not config.development:
        problems.append(f"POSTGRES_HOST is missing: with ENV={config.env} it names the PostgreSQL server to use")
    if not config.embedded and config.public_id_key is None:
        problems.append(
            "PUBLIC_ID_KEY is missing: with POSTGRES_HOST all processes need the same secret "
            f"of at least {PUBLIC_ID_KEY_MIN_BYTES} bytes (for example from `openssl rand -hex 32`)"
        )
    if config.public_id_key is not None and len(config.public_id_key) < PUBLIC_ID_KEY_MIN_BYTES:
        problems.append(f"PUBLIC_ID_KEY is too short: it takes at least {PUBLIC_ID_KEY_MIN_BYTES} bytes")
    if not config.tls_verify and not config.development:
        problems.append(f"TLS_VERIFY=0 is refused with ENV={config.env}: name the authority's file in CA_BUNDLE")
    if role.startswith("grabber"):
        problems.extend(_grabber_problems(config, role))
    if role == "server" and config.control_room != "off":
        problems.extend(control_room_problems(config))
    return problems


def _grabber_problems(config: Config, role: str) -> list[str]:
    clusters = CLUSTERS if role == "grabber" else (role.removeprefix("grabber_"),)
    problems = [
        f"FFF_{cluster.upper()}_MACHINES is empty: name the hosts of the {cluster} cluster, semicolons between"
        for cluster in clusters
        if not config.machines(cluster)
    ]
    if not config.development and config.dqm_fff_secret in {"", "changeme"}:
        problems.append("DQM_FFF_SECRET is missing: it takes the value of the cookie that DQM² wants")
    if config.cmsweb_frontend_proxy_url.startswith("https://"):
        pair = (
            ("SERVER_GRID_CERT_PATH", config.server_grid_cert_path),
            ("SERVER_GRID_KEY_PATH", config.server_grid_key_path),
        )
        problems.extend(
            f"{name}: there is no file {path} that can be seen; it takes the PEM file of the grid certificate's pair"
            for name, path in pair
            if not value.is_file(path)
        )
    return problems
