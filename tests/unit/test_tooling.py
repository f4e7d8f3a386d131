"""Rules about the repository itself: no machine's paths, no dangerous calls, what entry points import, what is vendored."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[2]
NOT_OURS = {"__pycache__", "build", "dist", "log", "node_modules", "tmp", "vendor"}

# Written so that the patterns do not match themselves.
MACHINE_PATH = re.compile(r"(?<![\w.*-])/(work|root|opt/wheels|opt/pypi)(/|\b(?![\w*-]))")
REGISTRY = re.compile(
    r"(pypi|pythonhosted)\.org|registry\.npm|\bnpmjs\b|deb\.debian|--(extra-)?index-url|--find-links[ =]"
)
FORBIDDEN_IN_PAGES = re.compile(
    # As a property or by name; htmx's own hx-swap="outerHTML" puts in what the server rendered.
    r"\beval\s*\(|\bnew\s+Function\b|(?<!hx-swap=\")(?:innerHTML|outerHTML)|document\.write|\|\s*safe\b|<[^>]*\son[a-z]+\s*="
)
FROM_ELSEWHERE = re.compile(r"""(\bsrc|<link[^>]*\shref)\s*=\s*["']?(https?:)?//""")

# Entry points are modules, which import-linter cannot have as roots. Each: what of others it may import.
ENTRY_POINTS = {
    "server.py": {"db", "dqmsquare_cfg", "dqmsquare", "bottle", "granian"},
    "grabber.py": {"db", "dqmsquare_cfg", "dqmsquare"},
    "db.py": {"dqmsquare_cfg", "dqmsquare", "alembic", "sqlalchemy"},
    "dqmsquare_cfg.py": {"dqmsquare", "dotenv"},
}
NEVER = {"server.py": "dqmsquare.grabber", "grabber.py": "dqmsquare.server"}


def our_files(*suffixes: str) -> Iterator[Path]:
    """Every file of the repository, without what others wrote or a tool made."""
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [
            name
            for name in folders
            if name not in NOT_OURS and (not name.startswith(".") or name in {".ci", ".github"})
        ]
        yield from (Path(folder, name) for name in files if name.endswith(suffixes or "") and name != ".env")


def lines_with(pattern: re.Pattern[str], *suffixes: str) -> list[str]:
    found = []
    for path in our_files(*suffixes):
        text = path.read_text(encoding="utf-8", errors="replace")
        found += [
            f"{path.relative_to(ROOT)}:{n}: {line.strip()[:80]}"
            for n, line in enumerate(text.splitlines(), 1)
            if pattern.search(line)
        ]
    return found


def imported_by(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_no_file_names_a_path_of_one_machine() -> None:
    assert lines_with(MACHINE_PATH) == []


def test_no_file_says_where_packages_are_fetched_from() -> None:
    assert [line for line in lines_with(REGISTRY) if not line.startswith("tests/unit/test_tooling.py:")] == []


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_security_h1k_each_required_package_is_pinned_with_its_hashes(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    entries = [entry for entry in re.split(r"\n(?=\S)", text) if not entry.startswith("#")]

    assert [entry for entry in entries if not re.match(r"\S+==\S+ \\\n    --hash=sha256:[0-9a-f]{64}\b", entry)] == []
    assert re.search(r"://|^--|@ file", text, flags=re.MULTILINE) is None


def test_each_required_package_takes_the_python_of_debian_12() -> None:
    too_new = {
        package.name: package.metadata["Requires-Python"]
        for package in distributions()
        if not SpecifierSet(package.metadata["Requires-Python"] or "").contains("3.11.2")
    }

    assert too_new == {}


def test_npms_lock_file_holds_hashes_and_no_addresses_of_packages() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"]

    assert all("integrity" in package and "resolved" not in package for name, package in packages.items() if name)


def test_the_vendored_files_are_of_the_versions_in_package_json() -> None:
    wanted = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["dependencies"]
    folders = {path.name for path in (ROOT / "static" / "vendor").iterdir()}

    assert folders == {f"{name.removesuffix('.org')}-{version}" for name, version in wanted.items()}
    assert all((ROOT / "static" / "vendor" / folder / "LICENSE").is_file() for folder in folders)


@pytest.mark.parametrize("name", sorted(ENTRY_POINTS))
def test_an_entry_point_imports_downwards_alone(name: str) -> None:
    imported = imported_by(ROOT / name)
    roots = {module.split(".")[0] for module in imported} - sys.stdlib_module_names

    assert roots <= ENTRY_POINTS[name]
    assert not any(module.startswith(NEVER.get(name, "nothing")) for module in imported)


def dangerous_calls(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        if name in {"eval", "exec", "os.system", "os.popen", "yaml.load"}:
            yield node.lineno, name
        if name.endswith("Markup") and not all(isinstance(argument, ast.Constant) for argument in node.args):
            yield node.lineno, ast.unparse(node)
        if name.split(".")[0] in {"pickle", "marshal", "shelve"}:
            yield node.lineno, name
        for keyword in node.keywords:
            if (keyword.arg, ast.unparse(keyword.value)) in {("shell", "True"), ("verify", "False")}:
                yield node.lineno, f"{name}({keyword.arg}=...)"


# Joined of pieces that were escaped when they were made.
ESCAPED_BEFORE = {"dqmsquare/server/timeline_markup.py": "Markup(''.join(pieces))"}


def test_security_d1_no_text_is_run_as_code() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {call}"
        for path in our_files(".py")
        if "tests" not in path.relative_to(ROOT).parts
        for line, call in dangerous_calls(ast.parse(path.read_text(encoding="utf-8")))
        if call != ESCAPED_BEFORE.get(str(path.relative_to(ROOT)))
    ]

    assert found == []


@pytest.mark.parametrize(
    "code", ["eval(x)", "pickle.loads(x)", "run(x, shell=True)", "get(x, verify=False)", "os.system(x)", "Markup(x)"]
)
def test_security_d1_the_search_for_dangerous_calls_finds_them(code: str) -> None:
    assert len(list(dangerous_calls(ast.parse(code)))) == 1


# Names of tables and databases cannot be bound; these are constants, or quoted by the dialect.
STATEMENTS_WITH_NAMES = {
    """f"CREATE DATABASE {quoted} TEMPLATE template0 ENCODING 'UTF8'\"""",
    "f'ALTER TABLE mirror.{table} ALTER COLUMN body SET STORAGE EXTERNAL'",
    "f\"DROP TABLE {', '.join(tables)}\"",
    "f\"LOCK TABLE {', '.join(tables)} IN SHARE MODE\"",
}


def made_up_statements(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """SQL as text that is put together from anything but constants, which are written in capitals."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and node.args):
            continue
        name, sql = ast.unparse(node.func), node.args[0]
        if name.split(".")[-1] not in {"text", "exec_driver_sql", "execute", "literal_column"}:
            continue
        parts = sql.values if isinstance(sql, ast.JoinedStr) else []
        put_in = [ast.unparse(part.value) for part in parts if isinstance(part, ast.FormattedValue)]
        glued = isinstance(sql, ast.BinOp) or (isinstance(sql, ast.Call) and ast.unparse(sql.func).endswith(".format"))
        if glued or not all(re.fullmatch(r"_?[A-Z][A-Z_]*", value) for value in put_in):
            yield node.lineno, ast.unparse(sql)


def test_security_d2_no_statement_is_put_together_from_values() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {sql}"
        for path in our_files(".py")
        if "storage" in path.relative_to(ROOT).parts or path.name == "db.py"
        for line, sql in made_up_statements(ast.parse(path.read_text(encoding="utf-8")))
        if sql not in STATEMENTS_WITH_NAMES
    ]

    assert found == []


@pytest.mark.parametrize(
    "code", ["text(f'DROP {name}')", "c.execute('SELECT ' + x)", "c.execute('SELECT {}'.format(x))", "text('%s' % x)"]
)
def test_security_d2_the_search_for_such_statements_finds_them(code: str) -> None:
    assert len(list(made_up_statements(ast.parse(code)))) == 1


def test_security_d1_e4_pages_take_nothing_as_markup_and_nothing_from_elsewhere() -> None:
    assert [
        line
        for line in lines_with(FORBIDDEN_IN_PAGES, ".html", ".js", ".mjs")
        if line.startswith(("static/", "templates/"))
    ] == []
    assert [line for line in lines_with(FROM_ELSEWHERE, ".html") if line.startswith("templates/")] == []


@pytest.mark.parametrize(("require_all", "status"), [("", 0), ("1", 1)])
def test_a_skip_is_a_failure_where_everything_is_required(require_all: str, status: int, tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text("import pytest\n\ndef test_one():\n    pytest.skip('no database here')\n")

    ended = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-rfs",
            "-p",
            "tests.conftest",
            "--rootdir",
            tmp_path,
            "-c",
            os.devnull,
            tmp_path,
        ],
        cwd=ROOT,
        env={**os.environ, "MIRROR_REQUIRE_ALL": require_all, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == status, ended.stdout
    assert "no database here" in ended.stdout
