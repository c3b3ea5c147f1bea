"""``trading ui``: Dagster's webserver and daemon on the active profile."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from types import FrameType

import click

from trading_pipeline.cli.console import stdout
from trading_pipeline.cli.context import CliContext
from trading_pipeline.cli.instance import dagster_home, is_alive, open_instance
from trading_pipeline.config import NO_PROFILE, Settings
from trading_pipeline.core.errors import ConfigError

_GRACE_S = 15


@click.command()
@click.option("--port", default=3000, show_default=True, type=click.IntRange(1, 65535))
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Dagster has no log-in: keep it local."
)
@click.pass_obj
def ui(context: CliContext, port: int, host: str) -> None:
    """Open the Dagster UI (webserver and daemon) on what the last demo or import made."""
    from trading_pipeline.defs.walk import end_abandoned_runs

    settings = context.settings
    _refuse_taken_port(host, port)
    with open_instance(settings) as instance:
        end_abandoned_runs(instance, is_alive)
    stdout().print(
        f"Profile [bold]{settings.profile or NO_PROFILE}[/], storage {settings.storage_root}\n"
        f"Dagster opens at [bold]http://{host}:{port}[/] in about ten seconds; Ctrl-C ends it.",
        highlight=False,
    )
    workspace = str(settings.home / "workspace.yaml")
    sys.exit(
        _run_both(
            settings,
            [
                ["dagster._daemon", "run", "-w", workspace],
                ["dagster_webserver", "-h", host, "-p", str(port), "-w", workspace],
            ],
        )
    )


def _refuse_taken_port(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigError(
                f"{host}:{port} cannot be used ({error.strerror}); choose another with --port "
                "(make ui PORT=...)"
            ) from error


def _run_both(settings: Settings, commands: Sequence[Sequence[str]]) -> int:
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(dagster_home(settings)),
        "TRADING_PROFILE": settings.profile or NO_PROFILE,
        "TRADING_HOME": str(settings.home),
    }
    processes = [
        subprocess.Popen([sys.executable, "-m", *command], env=environment, cwd=settings.home)
        for command in commands
    ]
    asked_to_stop = False

    def stop(_: int, __: FrameType | None) -> None:
        nonlocal asked_to_stop
        asked_to_stop = True

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    while not asked_to_stop and all(process.poll() is None for process in processes):
        time.sleep(0.2)
    _end(processes)
    if asked_to_stop:
        return 0
    return next((process.returncode for process in processes if process.returncode), 1)


def _end(processes: Sequence["subprocess.Popen[bytes]"]) -> None:
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
    deadline = time.monotonic() + _GRACE_S
    for process in processes:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
