"""``trading indicators list``: the catalogue."""

from typing import TYPE_CHECKING, Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from trading_pipeline import wiring
from trading_pipeline.cli.console import emit, json_option
from trading_pipeline.cli.context import CliContext
from trading_pipeline.core.errors import ConfigError

if TYPE_CHECKING:
    from trading_pipeline.indicators.specs import IndicatorSpec


@click.command("list")
@click.option("--category", help="Only one category, such as momentum.")
@click.option("--markdown", is_flag=True, help="Print the page docs/indicators.md.")
@json_option
@click.pass_obj
def list_indicators(
    context: CliContext, category: str | None, markdown: bool, as_json: bool
) -> None:
    """List the indicators of the catalogue, and which of them the settings enable."""
    from trading_pipeline.indicators.catalog import CATALOG, Category
    from trading_pipeline.indicators.page import catalogue_page

    if markdown:
        click.echo(catalogue_page(), nl=False)
        return
    known = [str(each) for each in Category]
    if category is not None and category not in known:
        raise ConfigError.unknown_name("category", category, known)
    enabled: dict[str, list[str]] = {}
    for request in wiring.indicator_requests(context.settings):
        enabled.setdefault(request.indicator, []).append(request.name)
    rows = [
        _entry(spec, enabled.get(spec.name, []))
        for each in known
        for spec in CATALOG.values()
        if spec.category == each and category in (None, each)
    ]

    def show(console: Console) -> None:
        for each in dict.fromkeys(row["category"] for row in rows):
            table = Table(title=each, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
            for name in ("", "name and parameters", "warm-up", "equals"):
                table.add_column(name, justify="right" if name == "warm-up" else "left")
            for row in rows:
                if row["category"] == each:
                    values = " ".join(f"{p['name']}={p['default']:g}" for p in row["parameters"])
                    mark = "*" if row["enabled_as"] else ""
                    named = f"[bold]{row['name']}[/] {values}".strip()
                    table.add_row(mark, named, str(row["warm_up"]), row["oracle"])
            console.print(table)
        console.print(f"{len(rows)} indicators; * is enabled in the settings. --json says more.")

    emit({"indicators": rows}, show, as_json=as_json)


def _entry(spec: "IndicatorSpec", enabled_as: list[str]) -> dict[str, Any]:
    return {
        "name": spec.name,
        "category": str(spec.category),
        "summary": spec.summary,
        "inputs": list(spec.inputs),
        "outputs": list(spec.outputs),
        "parameters": [
            {
                "name": name,
                "default": setting.default,
                "lowest": setting.low,
                "highest": setting.high,
                "meaning": setting.meaning,
            }
            for name, setting in spec.settings.items()
        ],
        "warm_up": spec.warm_up(spec.parameters),
        "is_recursive": spec.is_recursive,
        "scale": str(spec.scale),
        "natural_scale": spec.natural_scale,
        "reference": spec.reference,
        "oracle": spec.oracle,
        "enabled_as": enabled_as,
    }
