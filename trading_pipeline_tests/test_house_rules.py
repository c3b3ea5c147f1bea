"""Rules of the house that no linter knows. What they forbid is said in the name of each test."""

import ast
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import click
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "trading_pipeline"
TESTS = REPOSITORY / "trading_pipeline_tests"
_MAKEFILE = REPOSITORY / "Makefile"
MOST_LINES = 400

# Everything below adapters: arrays, frames and values in, the same out.
DOMAIN = (
    "core", "market_data", "performance", "validation", "indicators", "smart_money", "features",
    "signals",
    "models", "matching", "portfolio", "risk", "strategies", "backtest", "execution", "reporting",
)  # fmt: skip

# Loaded only by the steps that use them; together they cost seconds at every start of Dagster.
HEAVY = (
    "aiohttp", "alembic", "ccxt", "duckdb", "httpx", "llvmlite", "matplotlib", "numba", "openai",
    "pandas", "pyarrow", "redis", "reportlab", "requests", "scipy", "sklearn", "sqlalchemy",
    "starlette", "talib", "torch", "uvicorn", "xgboost",
)  # fmt: skip

VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "base_utils", "tools"}


def _python_files(*folders: Path) -> list[Path]:
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def _where(holds: Callable[[ast.AST], bool], *folders: Path) -> list[str]:
    return [
        f"{path.relative_to(REPOSITORY)}:{node.lineno}"
        for path in _python_files(*folders)
        for node in ast.walk(_tree(path))
        if holds(node)
    ]


def _imports(node: ast.AST, name: str) -> bool:
    found: list[str] = []
    if isinstance(node, ast.Import):
        found = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module:
        found = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return any(module == name or module.startswith(f"{name}.") for module in found)


def _is_call_of(node: ast.AST, *names: str) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func).endswith(names)


def _loaded_by(code: str) -> set[str]:
    listed = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint(*sys.modules)"],
        cwd=REPOSITORY,
        env={**os.environ, "TRADING_PROFILE": "none"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert listed.returncode == 0, listed.stderr
    return {name.partition(".")[0] for name in listed.stdout.split()}


def test_importing_the_code_location_loads_no_heavy_library():
    assert _loaded_by("import trading_pipeline.definitions") & set(HEAVY) == set()


def test_assembling_the_code_location_loads_no_heavy_library():
    code = "from trading_pipeline.definitions import build_definitions\nbuild_definitions()"
    assert _loaded_by(code) & set(HEAVY) == set()


def test_the_command_line_starts_without_dagster_and_without_frames():
    loaded = _loaded_by("import trading_pipeline.cli.main")
    assert loaded & {*HEAVY, "dagster", "numpy", "polars"} == set()


def test_no_file_is_longer_than_a_person_reads_at_once():
    lengths = {
        str(path.relative_to(REPOSITORY)): len(path.read_text().splitlines())
        for path in _python_files(PACKAGE, TESTS)
    }
    assert {name: n for name, n in lengths.items() if n > MOST_LINES} == {}


def test_no_file_or_folder_has_a_name_that_says_nothing():
    paths = [*PACKAGE.rglob("*"), *TESTS.rglob("*")]
    vague = [
        path for path in paths if path.suffix in {"", ".py"} and path.stem.strip("_") in VAGUE_NAMES
    ]
    assert vague == []


def test_annotations_are_never_postponed():
    # Dagster reads the annotations of Config parameters and contexts.
    assert _where(lambda node: _imports(node, "__future__"), PACKAGE, TESTS) == []


def test_nothing_is_mocked():
    assert _where(lambda node: _imports(node, "unittest.mock"), PACKAGE, TESTS) == []
    assert _where(lambda node: _is_call_of(node, "monkeypatch.setattr"), TESTS) == []


def test_nothing_is_stored_as_code():
    for name in ("pickle", "joblib", "cloudpickle", "dill", "marshal", "shelve"):
        assert _where(lambda node, name=name: _imports(node, name), PACKAGE) == []


def test_nothing_is_left_to_do():
    # In two pieces, so that this line is not a finding.
    marks = re.compile("#.*\\b(TO" + "DO|FIX" + "ME|XX" + "X|HA" + "CK)\\b")
    left = [
        f"{path.relative_to(REPOSITORY)}: {line.strip()}"
        for path in _python_files(PACKAGE, TESTS)
        for line in path.read_text().splitlines()
        if marks.search(line)
    ]
    assert left == []


def test_no_file_names_a_folder_of_one_machine():
    personal = re.compile(r"(?<![\w.}/])/(?:root|Users|work)/\w+")
    named = [
        str(path.relative_to(REPOSITORY))
        for path in [*_python_files(PACKAGE, TESTS), *_project_files()]
        if personal.search(path.read_text())
    ]
    assert named == []


def _project_files() -> Iterator[Path]:
    names = ("*.md", "*.yaml", "*.toml", "*.txt", "Makefile", ".env.example")
    for name in names:
        yield from REPOSITORY.glob(name)
    for folder in ("docs", "deploy", ".ci"):
        yield from (path for path in (REPOSITORY / folder).rglob("*") if path.is_file())


def test_the_domain_reads_no_clock_and_draws_no_numbers_of_its_own():
    folders = [PACKAGE / name for name in DOMAIN]
    clocks = ("datetime.now", "datetime.utcnow", "datetime.today", "date.today")
    assert _where(lambda node: _is_call_of(node, *clocks), *folders) == []
    unseeded = _where(
        lambda node: _is_call_of(node, "default_rng") and not (node.args or node.keywords),
        PACKAGE,
    )
    assert unseeded == []


def test_only_the_settings_read_the_environment():
    def reads(node: ast.AST) -> bool:
        is_key = isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load)
        if is_key and ast.unparse(node.value) == "os.environ":
            return True
        return _is_call_of(node, "os.getenv", "environ.get")

    readers = {place.partition(":")[0] for place in _where(reads, PACKAGE)}
    assert readers == {"trading_pipeline/config.py"}


def test_unknown_errors_are_caught_at_two_places_at_most():
    # The top of the command line, and where one symbol must not stop the others.
    def catches_all(node: ast.AST) -> bool:
        if not isinstance(node, ast.ExceptHandler):
            return False
        return node.type is None or ast.unparse(node.type) == "Exception"

    places = _where(catches_all, PACKAGE)
    assert len(places) <= 2, places
    assert any(place.startswith("trading_pipeline/cli/main.py") for place in places)


def test_every_folder_of_the_domain_exists_and_is_a_package():
    missing = [name for name in DOMAIN if not (PACKAGE / name / "__init__.py").is_file()]
    assert missing == []


def _targets() -> dict[str, str | None]:
    rules = re.findall(r"^([a-z][a-z-]*):(?!=)([^\n]*)$", _MAKEFILE.read_text(), re.MULTILINE)
    return {name: rest.partition("## ")[2].strip() or None for name, rest in rules}


def test_every_make_target_is_explained_in_one_line():
    targets = _targets()
    assert {"setup", "demo", "ui", "test", "check"} <= set(targets)
    assert [name for name, comment in targets.items() if comment is None] == []
    phony = re.search(r"^\.PHONY: (.*)$", _MAKEFILE.read_text(), re.MULTILINE)
    assert phony is not None
    assert set(phony.group(1).split()) == set(targets)


def test_make_help_lists_every_target():
    # As a person types it: under `make test` this make would be a sub-make, which says so.
    environment = {k: v for k, v in os.environ.items() if k not in {"MAKEFLAGS", "MAKELEVEL"}}
    shown = subprocess.run(
        ["make", "help"],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert {line.split()[0] for line in shown.splitlines()} == set(_targets())


def _code_in(document: Path) -> list[str]:
    text = document.read_text()
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    without = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return [*(line for block in blocks for line in block.splitlines()), *_spans(without)]


def _spans(text: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", text)


def _typed(document: Path, program: str) -> Iterator[list[str]]:
    # Variables and a prompt may stand before the program, a comment after it.
    start = re.compile(rf"^(?:\$ )?(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?{program}\b(.*)$")
    for line in _code_in(document):
        if match := start.match(line.strip()):
            yield shlex.split(match.group(1), comments=True)


def _documents() -> list[Path]:
    return [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]


def test_every_make_command_of_the_documents_is_a_target():
    typed = {
        word
        for document in _documents()
        for words in _typed(document, "make")
        for word in words
        if "=" not in word and not word.startswith("-")
    }
    assert {"demo", "test", "ui"} <= typed, "the README shows how to start"
    assert typed - set(_targets()) == set()


def test_every_trading_command_of_the_documents_exists_with_its_options():
    wrong = [
        f"{document.name}: trading {' '.join(words)}: {problem}"
        for document in _documents()
        for words in _typed(document, "trading")
        if (problem := _problem(words)) is not None
    ]
    assert wrong == []


def _problem(words: list[str]) -> str | None:
    from trading_pipeline.cli.main import cli

    command: click.Command = cli
    options = _options(command)
    for word in words:
        if word.startswith("--"):
            if word.partition("=")[0] not in options:
                return f"there is no option {word}"
        elif isinstance(command, click.Group):
            found = command.get_command(click.Context(command), word)
            if found is None and word not in {"...", "COMMAND"} and not _is_value(words, word):
                return f"there is no command {word}"
            command = found or command
            options |= _options(command)
    return None


def _is_value(words: list[str], word: str) -> bool:
    at = words.index(word)
    return at > 0 and words[at - 1].startswith("--")


def _options(command: click.Command) -> set[str]:
    context = click.Context(command)
    return {name for parameter in command.get_params(context) for name in parameter.opts} | {"-h"}


def test_every_command_can_be_asked_for_help():
    from trading_pipeline.cli.main import cli

    names = cli.list_commands(click.Context(cli))
    assert names
    for name in names:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None, f"trading {name} is listed but does not exist"
        assert command.help, f"trading {name} does not say what it does"


def _pins() -> dict[str, str]:
    lines = (REPOSITORY / "constraints.txt").read_text().splitlines()
    pins = {}
    for line in lines:
        if not line or line.startswith("#"):
            continue
        match = re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([A-Za-z0-9.!+]+)", line)
        assert match is not None, f"constraints.txt holds exact pins only, found {line!r}"
        name = canonicalize_name(match.group(1))
        assert name not in pins, f"{name} is pinned twice"
        pins[name] = match.group(2)
    return pins


def test_constraints_are_exact_pins_from_no_particular_place():
    text = (REPOSITORY / "constraints.txt").read_text()
    assert len(_pins()) > 20
    assert not re.search(r"://|^-|@|\.whl", text, re.MULTILINE)


def _requirements() -> list[Requirement]:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    return [
        Requirement(line) for line in (*project["dependencies"], *(i for e in extras for i in e))
    ]


@pytest.mark.parametrize("requirement", _requirements(), ids=lambda item: item.name)
def test_every_requirement_is_pinned_to_a_version_that_it_allows(requirement):
    pinned = _pins().get(canonicalize_name(requirement.name))
    assert pinned is not None, f"{requirement.name} has no pin in constraints.txt"
    assert requirement.specifier.contains(pinned, prereleases=True)


def test_the_architecture_is_checked_by_make_check():
    contracts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = [item for item in contracts["contracts"] if item["type"] == "layers"]
    assert layers[0]["exhaustive"] is True
    assert "lint-imports" in _MAKEFILE.read_text()
