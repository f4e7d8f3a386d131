"""A root file system with nothing but Debian and Python, in which the Dockerfile's steps are run, and programs started.

Overlays in a mount namespace that ends with each command: nothing of this machine is changed, and nothing stays mounted.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pip as pip_package

UNPRIVILEGED = 12345  # a user that no system knows
SHARED_ETC = ("alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "nsswitch.conf", "ssl", "ca-certificates")
PIP_PLACE = "/usr/local/lib/python3.11/dist-packages"
DEVICES = ("null", "zero", "random", "urandom")


@dataclass(frozen=True)
class Stage:
    """One FROM of a Dockerfile and what follows; `base` is another stage's name or an image."""

    name: str
    base: str
    steps: list[tuple[str, str]] = field(default_factory=list)


def read_dockerfile(text: str) -> list[Stage]:
    """The stages, their steps as (instruction, argument), with lines joined and comments left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    stages: list[Stage] = []
    for step in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        word, _, argument = step.strip().partition(" ")
        if word == "FROM":
            base, _, name = argument.partition(" AS ")
            stages.append(Stage(name or "shipped", base))
        elif word and stages:
            stages[-1].steps.append((word, argument.strip()))
    return stages


def can_make_roots() -> bool:
    """Overlays and chroot are root's."""
    return os.geteuid() == 0 and shutil.which("unshare") is not None and Path("/usr/bin/python3").exists()


class CleanRoot:
    """A root on top of `base`, a Debian's folder, or of this machine's /usr without its /usr/local.

    What is written goes to `folder`/upper. HOME is empty, and of the environment only PATH and what is given is there.
    """

    def __init__(self, folder: Path, base: Path | None = None) -> None:
        self.folder = folder
        self.upper = folder / "upper"
        self._base = base
        for name in ("upper", "upper-work", "merged", "usr-upper", "usr-upper-work", "scratch"):
            (folder / name).mkdir(parents=True)
        if base is None:
            self._base = self._skeleton()

    def run(
        self,
        *command: str,
        workdir: str = "/",
        environ: Mapping[str, str] = {},
        mounts: Mapping[str, Path | None] = {},
        seconds: float = 300,
    ) -> str:
        """Runs as root to its end and returns what it printed; fails where it fails."""
        full = self.command(*command, workdir=workdir, environ=environ, mounts=mounts, user=0, read_only=False)
        ended = subprocess.run(
            full, capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL, check=False
        )
        assert ended.returncode == 0, f"{command}\n{ended.stdout[-2000:]}\n{ended.stderr[-2000:]}"
        return ended.stdout

    def command(
        self,
        *command: str,
        workdir: str = "/",
        environ: Mapping[str, str] = {},
        mounts: Mapping[str, Path | None] = {},
        user: int = UNPRIVILEGED,
        read_only: bool = True,
        proc_options: str = "",
        launcher: Sequence[str] = (),
    ) -> list[str]:
        """What starts `command` inside, in the same process: a signal to it reaches the program itself.

        `mounts` are this machine's folders and files by where they are seen (None: a folder in memory); where the root
        is read-only nothing else can be written.
        """
        merged = self.folder / "merged"
        script = ["set -e", *self._mounts(merged, mounts, proc_options, keep=not read_only)]
        if read_only:
            script.append(f"mount -o remount,ro {merged}")
            script.append(f"! mountpoint -q {merged}/usr || mount -o remount,ro {merged}/usr")
        drop = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--no-new-privs"]
        drop += ["--bounding-set=-all", "--inh-caps=-all"]
        variables = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", **environ}
        inside = ["/usr/bin/env", "-i", *(f"{name}={value}" for name, value in variables.items())]
        inside += [*launcher, "/bin/sh", "-c", 'cd "$0" && exec "$@"', workdir, *command]
        script.append(f'exec chroot {merged} {" ".join(drop if user else [])} "$@"')
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", "\n".join(script), "sh", *inside]

    def _mounts(self, merged: Path, mounts: Mapping[str, Path | None], proc_options: str, *, keep: bool) -> list[str]:
        script = [f"mount -t tmpfs tmpfs {self.folder}/scratch"]
        script += self._overlay(str(self._base), "upper", merged, keep=keep)
        if not (self._base or Path()).joinpath("usr/bin").exists():
            script += self._overlay("/usr", "usr-upper", merged / "usr", keep=keep)
            script += [f"mount -t tmpfs tmpfs {merged}/usr/local", f"mkdir -p {merged}/usr/local/bin"]
        # As in the official images of Python.
        script += [f"ln -sf /usr/bin/python3 {merged}/usr/local/bin/python"]
        script += [f"mkdir -p {merged}/proc {merged}/dev/shm {merged}/run"]
        script += [f"mount -t proc proc {merged}/proc {'-o ' + proc_options if proc_options else ''}"]
        script += [f"mount -t tmpfs -o mode=755 tmpfs {merged}/dev"]
        script += [f"touch {merged}/dev/{name} && mount --bind /dev/{name} {merged}/dev/{name}" for name in DEVICES]
        script += [f"mkdir {merged}/dev/shm && mount -t tmpfs -o mode=1777 tmpfs {merged}/dev/shm"]
        for target, source in sorted(mounts.items()):
            at = f"{merged}{target}"
            if source is None:
                script += [f"mkdir -p {at}", f"mount -t tmpfs -o mode=1777 tmpfs {at}"]
            else:
                made = f"mkdir -p {at}" if source.is_dir() else f"mkdir -p {Path(at).parent} && touch {at}"
                script += [made, f"mount --bind {source} {at}"]
        return script

    def _overlay(self, lower: str, upper: str, target: Path, *, keep: bool) -> list[str]:
        """What is written stays in `upper` with `keep`; otherwise it is lost, and several may run on one root."""
        layers = f"lowerdir={lower},upperdir={self.folder}/{upper},workdir={self.folder}/{upper}-work"
        if not keep:
            scratch = f"{self.folder}/scratch/{upper}"
            layers = f"lowerdir={self.folder}/{upper}:{lower},upperdir={scratch},workdir={scratch}-work"
        return [
            f"mkdir -p {self.folder}/scratch/{upper} {self.folder}/scratch/{upper}-work",
            f"mount -t overlay overlay -o {layers} {target}",
        ]

    def _skeleton(self) -> Path:
        """What Debian has beside /usr, as far as Python needs it."""
        skeleton = self.folder / "skeleton"
        for name in ("etc", "usr", "opt", "tmp", "root", "home", "var/tmp", "proc", "dev", "run"):
            (skeleton / name).mkdir(parents=True)
        (skeleton / "tmp").chmod(0o1777)
        for name in ("bin", "lib", "lib64", "sbin"):
            if Path("/", name).is_symlink():
                (skeleton / name).symlink_to(f"usr/{name}")
        for name in SHARED_ETC:
            if Path("/etc", name).is_dir():
                shutil.copytree(Path("/etc", name), skeleton / "etc" / name, symlinks=True)
            elif Path("/etc", name).exists():
                shutil.copy(Path("/etc", name), skeleton / "etc" / name)
        (skeleton / "etc" / "passwd").write_text("root:x:0:0::/home:/bin/sh\n")
        (skeleton / "etc" / "group").write_text("root:x:0:\n")
        (skeleton / "usr" / "local").mkdir()
        return skeleton


@dataclass
class Image:
    """What the Dockerfile's last stage leaves: its root, and how it is started."""

    root: CleanRoot
    environ: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    user: str = "0"
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)


def build_image(project: Path, folder: Path, *, wheels: Path, base: Path | None = None) -> Image:
    """Runs the Dockerfile's steps one after another. Packages come from the folder `wheels` alone."""
    built: dict[str, Image] = {}
    stages = read_dockerfile((project / "Dockerfile").read_text())
    for number, stage in enumerate(stages):
        # A stage on top of another goes on in its root.
        image = built.get(stage.base) or Image(CleanRoot(folder / f"stage{number}", base))
        built[stage.name] = image
        for word, argument in stage.steps:
            _step(project, image, built, wheels, word, argument)
    return built[stages[-1].name]


def _step(project: Path, image: Image, built: Mapping[str, Image], wheels: Path, word: str, argument: str) -> None:
    if word == "RUN":
        # The official images bring pip along; it takes what it installs from the folder alone.
        pip = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels", "PIP_ROOT_USER_ACTION": "ignore", "HOME": "/home"}
        mounts = {"/wheels": wheels, f"{PIP_PLACE}/pip": Path(pip_package.__file__).parent}
        image.root.run(
            "/bin/sh", "-ec", argument, workdir=image.workdir, environ={**pip, **image.environ}, mounts=mounts
        )
    elif word == "COPY":
        _copy(project, image, built, argument.split())
    elif word == "WORKDIR":
        image.workdir = argument
        (image.root.upper / argument.lstrip("/")).mkdir(parents=True, exist_ok=True)
    elif word == "ENV":
        image.environ |= dict(pair.split("=", 1) for pair in argument.split())
    elif word == "USER":
        image.user = argument
    elif word == "CMD":
        image.command = json.loads(argument)
    elif word == "HEALTHCHECK":
        image.health = json.loads(argument.partition("CMD ")[2])
    else:
        assert word in {"LABEL", "EXPOSE", "ARG"}, f"a step that is not known: {word}"


def _copy(project: Path, image: Image, built: Mapping[str, Image], words: list[str]) -> None:
    source = project
    ignore = (project / ".dockerignore").read_text().splitlines()
    if words[0].startswith("--from="):
        source = built[words.pop(0).removeprefix("--from=")].root.upper
    *names, target = words
    into = image.root.upper / (target if target.startswith("/") else f"{image.workdir}/{target}").lstrip("/")
    for name in names:
        place = into / name if target == "./" else into
        place.parent.mkdir(parents=True, exist_ok=True)
        if source is not project:
            shutil.copytree(source / name.lstrip("/"), place, symlinks=True, copy_function=os.link, dirs_exist_ok=True)
        elif (source / name).is_dir():
            assert f"!{name}" in ignore, name
            shutil.copytree(source / name, place, ignore=lambda folder, found: _ignored(project, ignore, folder, found))
        else:
            assert f"!{name}" in ignore, name
            shutil.copy2(source / name, place)


def _ignored(project: Path, ignore: Sequence[str], folder: str, found: Sequence[str]) -> list[str]:
    """What .dockerignore keeps away of a folder that it lets through."""
    inside = Path(folder).relative_to(project)
    return [name for name in found if str(inside / name) in ignore or f"**/{name}" in ignore]
