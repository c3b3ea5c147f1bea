"""``trading data prune``: delete what is old."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from trading_pipeline.adapters.clock import SystemClock
from trading_pipeline.cli.console import emit, json_option, stdout
from trading_pipeline.cli.context import CliContext
from trading_pipeline.cli.instance import open_instance
from trading_pipeline.cli.options import AGE
from trading_pipeline.config import Settings
from trading_pipeline.core.errors import ConfigError, DataError
from trading_pipeline.core.retention import Age

if TYPE_CHECKING:
    from trading_pipeline.adapters.storage.pruning import OldPartition
    from trading_pipeline.wiring.pruning import PrunePlan


@click.command("prune")
@click.option(
    "--older-than", "age", type=AGE, help="24m (months) or 90d (days); default storage.retention."
)
@click.option("--table", "tables", multiple=True, help="Only partitions of this table.")
@click.option("--dry-run", is_flag=True, help="Show what would go; delete nothing.")
@click.option("--yes", "is_agreed", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def prune(
    context: CliContext,
    age: Age | None,
    tables: tuple[str, ...],
    dry_run: bool,
    is_agreed: bool,
    as_json: bool,
) -> None:
    """Delete months of the lake, reports, logs, run records and events that are older than an age.

    Months that a profile's history still contains stay, and it says what to change. Ages are
    counted from today by this machine's clock; a month is old when it ended before.
    """
    from trading_pipeline.wiring.pruning import cutoffs_of, plan_prune
    from trading_pipeline.wiring.pruning import prune as carry_out

    settings = context.settings
    cutoffs = cutoffs_of(settings, SystemClock().now(), age)
    if cutoffs.is_empty:
        raise ConfigError("say how old: --older-than 24m, or set storage.retention in config.yaml")
    plan = plan_prune(settings, cutoffs, tables or None)
    runs = [] if tables else _old_runs(settings, plan)
    payload = _payload(plan, runs) | {"dry_run": dry_run}
    n_items = len(plan.partitions) + sum(map(len, plan.files.values())) + len(runs)
    if tables and plan.in_use and not plan.partitions:
        raise DataError(f"nothing can go: {'; '.join(plan.advice)}", advice=plan.advice)
    if not as_json:
        _show(stdout(), payload)
    if not dry_run:
        _agree(n_items, is_agreed=is_agreed)
        pruned = carry_out(settings, plan)
        n_runs = _delete_runs(settings, runs)
        payload["deleted"] = {
            "partitions": pruned.partitions,
            "files": dict(pruned.files),
            "runs": n_runs,
            "stream_events": pruned.stream_events,
            "orphan_parts": pruned.orphan_parts,
        }
        if not as_json:
            stdout().print(
                f"Deleted: {pruned.partitions} partitions, {sum(pruned.files.values())} files, "
                f"{n_runs} run records, {pruned.stream_events} events, {pruned.orphan_parts} "
                "orphan parts.",
                highlight=False,
            )
    if as_json:
        emit(payload, lambda _: None, as_json=True)


def _agree(n_items: int, *, is_agreed: bool) -> None:
    if is_agreed or not n_items:
        return
    if not sys.stdin.isatty():
        raise ConfigError(
            "deleting needs --yes where nobody can be asked; --dry-run shows what goes"
        )
    if not click.confirm(f"Delete these {n_items} for good?", err=True):
        raise click.Abort


def _old_runs(settings: Settings, plan: "PrunePlan") -> list[str]:
    if plan.cutoffs.runs is None or not (settings.storage_root / "dagster").is_dir():
        return []
    from trading_pipeline.defs.pruning import old_runs

    with open_instance(settings) as instance:
        return old_runs(instance, plan.cutoffs.runs)


def _delete_runs(settings: Settings, runs: list[str]) -> int:
    if not runs:
        return 0
    from trading_pipeline.defs.pruning import delete_runs

    with open_instance(settings) as instance:
        return delete_runs(instance, runs)


def _payload(plan: "PrunePlan", runs: list[str]) -> dict[str, Any]:
    files = {
        kind: {"files": len(found), "bytes": sum(file.n_bytes for file in found)}
        for kind, found in plan.files.items()
    }
    kept = list(_by_series([item.partition for item in plan.in_use]))
    return {
        "partitions": list(_by_series(plan.partitions)),
        "files": files,
        "runs": len(runs),
        "in_use": kept,
        "advice": plan.advice,
    }


def _by_series(
    partitions: "tuple[OldPartition, ...] | list[OldPartition]",
) -> Iterator[dict[str, Any]]:
    groups: dict[tuple[str, str], list[OldPartition]] = {}
    for old in partitions:
        symbol = dict(old.address.columns).get("symbol", "")
        groups.setdefault((old.address.table, symbol), []).append(old)
    for (table, symbol), found in sorted(groups.items()):
        months = sorted(old.month.key for old in found)
        yield {
            "table": table,
            "symbol": symbol,
            "first_month": months[0],
            "last_month": months[-1],
            "partitions": len(found),
            "rows": sum(old.n_rows for old in found),
            "bytes": sum(old.n_bytes for old in found),
        }


def _show(console: Console, payload: dict[str, Any]) -> None:
    title = "Would go" if payload["dry_run"] else "To delete"
    if payload["partitions"]:
        console.print(_series_table(title, payload["partitions"]))
    for kind, found in payload["files"].items():
        if found["files"]:
            size = f"{found['bytes'] / 1e6:.2f} MB"
            console.print(f"{kind}: {found['files']} files, {size}", highlight=False)
    if payload["runs"]:
        console.print(f"Dagster: {payload['runs']} runs that made nothing", highlight=False)
    if payload["in_use"]:
        console.print(_series_table("Kept, because in use", payload["in_use"]))
        for advice in payload["advice"]:
            console.print(advice, highlight=False)
    is_nothing = not any(
        [payload["partitions"], payload["runs"], *(f["files"] for f in payload["files"].values())]
    )
    if is_nothing:
        console.print("Nothing of that age can go.")


def _series_table(title: str, rows: list[dict[str, Any]]) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=0, pad_edge=False)
    for name in ("table", "symbol", "from", "to"):
        table.add_column(name, no_wrap=True)
    for name in ("parts", "rows", "MB"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            row["table"],
            row["symbol"],
            row["first_month"],
            row["last_month"],
            f"{row['partitions']:,}",
            f"{row['rows']:,}",
            f"{row['bytes'] / 1e6:.2f}",
        )
    return table
