"""The documents say what is true: graph, settings, names, files, containers.

Commands of make and of ``trading`` in README and docs are tested with the house rules.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import get_args

import click
import pytest
import yaml
from pydantic import BaseModel

from trading_pipeline.cli.main import cli
from trading_pipeline.config import ENVIRONMENT_PREFIX, Settings
from trading_pipeline.definitions import build_definitions
from trading_pipeline_tests.asset_graph import BLOCK, AssetGraph, mermaid

REPOSITORY = Path(__file__).resolve().parents[1]
README = REPOSITORY / "README.md"
DOCKERFILE = REPOSITORY / "Dockerfile"
DEPLOY = REPOSITORY / "deploy"
DOCUMENTS = [
    README,
    REPOSITORY / "CHANGELOG.md",
    *sorted((REPOSITORY / "docs").rglob("*.md")),
    *sorted(DEPLOY.glob("*.md")),
]
every_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY))
)


def _code(document: Path) -> list[str]:
    text = document.read_text()
    without_blocks = re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"`([^`\n]+)`", without_blocks)


@cache
def _graph() -> AssetGraph:
    return AssetGraph.of_the_code_location()


def test_the_picture_in_the_readme_is_the_graph_of_the_definitions():
    pictures = BLOCK.findall(README.read_text())
    assert len(pictures) == 1
    again = "run: python -m trading_pipeline_tests.asset_graph"
    assert pictures[0][1] == mermaid(_graph()), again


def test_the_picture_names_every_asset_in_the_box_of_its_group():
    (_, picture, _) = BLOCK.findall(README.read_text())[0]
    boxes = re.findall(r"subgraph \w+ \[(\w+)\]\n\s*(.*?)\n", picture)
    drawn = {asset: group for group, assets in boxes for asset in assets.split("; ")}
    assert drawn == _graph().groups


def test_arrows_that_are_left_out_follow_from_those_that_are_drawn():
    graph = _graph()
    drawn = graph.edges()
    reached = {name: {parent for parent, child in drawn if child == name} for name in graph.parents}
    reduced = AssetGraph(graph.groups, {name: frozenset(found) for name, found in reached.items()})
    assert {name: reduced.ancestors(name) for name in graph.parents} == {
        name: graph.ancestors(name) for name in graph.parents
    }


def test_the_readme_is_short_enough_to_be_read():
    assert len(README.read_text().splitlines()) <= 250


def _settings_under(kind: object, path: list[str]) -> bool:
    """Tell whether ``path`` leads to a setting; names inside a mapping are free."""
    if not path:
        return True
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        field = kind.model_fields.get(path[0])
        return field is not None and _settings_under(field.annotation, path[1:])
    inner = get_args(kind)
    return len(inner) == 2 and _settings_under(inner[1], path[1:])


@every_document
def test_every_setting_that_is_named_exists(document):
    sections = "|".join(Settings.model_fields)
    dotted = re.compile(rf"(?:{sections})(?:\.[a-z_0-9]+)+")
    named = {code: code.split(".") for code in _code(document) if dotted.fullmatch(code)}
    text = document.read_text()
    for variable in re.findall(rf"\b{ENVIRONMENT_PREFIX}([A-Z][A-Z_0-9]*)", text):
        if variable != "SECTION__KEY":
            named[variable] = variable.lower().split("__")
    files = ("yaml", "md", "py")
    unknown = [
        name
        for name, path in named.items()
        if path[-1] not in files and not _settings_under(Settings, path)
    ]
    assert unknown == []


def test_the_readme_names_settings():
    dotted = [code for code in _code(README) if _settings_under(Settings, code.split("."))]
    assert {"market.venue", "execution.mode"} <= set(dotted)


@cache
def _dagster_names() -> frozenset[str]:
    repository = build_definitions(Settings()).get_repository_def()
    jobs = {job.name for job in repository.get_all_jobs()}
    checks = {
        name
        for checks_definition in repository.asset_checks_defs_by_key.values()
        for name in (key.name for key in checks_definition.check_keys)
    }
    instigators = {item.name for item in (*repository.schedule_defs, *repository.sensor_defs)}
    return frozenset({*jobs, *checks, *instigators})


@every_document
def test_every_schedule_sensor_and_job_that_is_named_exists(document):
    kinds = re.compile(r"[a-z_]+_(?:sensor|hourly|nightly|daily|monthly|job)")
    named = {code for code in _code(document) if kinds.fullmatch(code)}
    assert named - _dagster_names() == set()


def test_the_readme_names_every_schedule_and_sensor():
    repository = build_definitions(Settings()).get_repository_def()
    existing = {item.name for item in (*repository.schedule_defs, *repository.sensor_defs)}
    assert existing - set(_code(README)) == set()


def test_the_readme_names_every_command():
    words = {code.split()[1] for code in _code(README) if code.startswith("trading ")}
    assert set(cli.list_commands(click.Context(cli))) <= words


@every_document
def test_every_link_and_every_path_leads_to_a_file(document):
    links = re.findall(r"\]\(([^)#]+)\)", document.read_text())
    linked = [document.parent / link for link in links if "://" not in link]
    top = re.compile(r"(?:trading_pipeline|trading_pipeline_tests|docs|deploy)/[\w/.]*")
    named = [REPOSITORY / code for code in _code(document) if top.fullmatch(code)]
    assert [str(path) for path in (*linked, *named) if not path.exists()] == []


def test_every_folder_of_the_package_is_in_the_map_of_the_readme():
    (rows,) = re.findall(r"^\| folder of .*?(?=^$)", README.read_text(), re.MULTILINE | re.DOTALL)
    shown = set(re.findall(r"`([^`]+)`", rows)) - {"trading_pipeline/"}
    package = REPOSITORY / "trading_pipeline"
    assert [name for name in shown if not (package / name).exists()] == []
    folders = {path.parent.name for path in package.glob("*/__init__.py")}
    assert folders - shown == set()


@pytest.mark.parametrize(
    "path",
    [*DOCUMENTS, DOCKERFILE, *sorted(DEPLOY.glob("*.yaml"))],
    ids=lambda path: str(path.relative_to(REPOSITORY)),
)
def test_nothing_names_a_folder_of_one_machine(path):
    personal = re.compile(r"(?<![\w.}/:])/(?:home|root|tmp|Users|work|private|mnt)/\w+")
    assert personal.findall(path.read_text()) == []


@every_document
def test_code_that_is_shown_is_python(document):
    text = document.read_text()
    for indent, block in re.findall(r"^( *)```python\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE):
        compile(re.sub(f"^{indent}", "", block, flags=re.MULTILINE), str(document), "exec")


def _services() -> Iterator[tuple[str, dict[str, object]]]:
    for file in sorted(DEPLOY.glob("*.yaml")):
        for name, service in yaml.safe_load(file.read_text())["services"].items():
            yield f"{file.name}: {name}", service


def test_containers_publish_nothing_beyond_this_machine():
    services = dict(_services())
    published = {name: service.get("ports", []) for name, service in services.items()}
    assert any(published.values())
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    assert not any("network_mode" in service for service in services.values())


def test_the_variables_that_containers_set_are_settings():
    known = {"TRADING_PROFILE", "DATABASE_URL", "REDIS_URL", "LOG_LEVEL", "DRY_RUN"}
    ours = [service for name, service in _services() if name.endswith(": pipeline")]
    assert ours
    assert all(set(service.get("environment", {})) <= known for service in ours)


def test_the_image_runs_the_ui_as_a_user_without_rights_with_its_kernels_compiled():
    text = DOCKERFILE.read_text()
    (start,) = re.findall(r"^CMD (\[.*\])$", text, re.MULTILINE)
    program, command, *options = json.loads(start)
    assert program == "trading"
    known = cli.get_command(click.Context(cli), command)
    assert known is not None
    names = {name for parameter in known.params for name in parameter.opts}
    assert {word for word in options if word.startswith("--")} <= names
    before_start = text.split("CMD [")[0]
    assert before_start.index("\nUSER trading") < before_start.index("\nRUN trading warm")
    assert "\nHEALTHCHECK" in text


def test_the_image_gets_every_file_that_the_dockerfile_copies_and_no_secret():
    copied = {
        source
        for line in re.findall(r"^COPY (.*)$", DOCKERFILE.read_text(), re.MULTILINE)
        for source in line.split()[:-1]
    }
    lines = (REPOSITORY / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    allowed = {rule[1:] for rule in rules if rule.startswith("!")}
    assert rules[0] == "*"
    assert allowed.isdisjoint({".env", "data", ".git"})
    assert {source.split("/")[0] for source in copied} == allowed
    assert all((REPOSITORY / source).exists() for source in copied)
