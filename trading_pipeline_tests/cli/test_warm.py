"""``trading warm`` compiles every kernel, so that no run waits for one."""

import importlib
import pkgutil
import subprocess
import sys
from collections.abc import Iterator

import pytest
from numba.core.registry import CPUDispatcher

from trading_pipeline.cli.main import main
from trading_pipeline.cli.warm import compile_kernels
from trading_pipeline.indicators.definition import Indicator


def _kernels() -> Iterator[tuple[str, CPUDispatcher]]:
    packages = ("market_data", "indicators", "smart_money", "features", "matching", "backtest")
    for folder in packages:
        package = importlib.import_module(f"trading_pipeline.{folder}")
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            for name, found in vars(importlib.import_module(info.name)).items():
                member = found.spec.kernel if isinstance(found, Indicator) else found
                if isinstance(member, CPUDispatcher) and member.__module__ == info.name:
                    yield name, member


def _report() -> Iterator[str]:
    """Yield how many kernels there are, and the names of those that are not compiled."""
    kernels = dict(_kernels())
    # Those that only other kernels call are compiled inside them.
    inner = {name for kernel in kernels.values() for name in kernel.py_func.__code__.co_names}
    yield str(len(kernels))
    yield from (name for name, k in kernels.items() if name not in inner and not k.signatures)


def test_every_kernel_that_python_calls_is_compiled():
    # In a process of its own: here other tests have compiled most of them.
    listed = subprocess.run([sys.executable, __file__], capture_output=True, text=True, check=True)
    n_kernels, *waiting = listed.stdout.split()
    assert int(n_kernels) > 20
    assert waiting == []


def test_labels_are_compiled_for_one_month_and_for_several():
    from trading_pipeline.features._barriers import touch_barriers

    compile_kernels()
    assert {signature[1].mutable for signature in touch_barriers.signatures} == {True, False}


def test_warming_needs_no_settings(monkeypatch, capsys):
    monkeypatch.setenv("TRADING_PROFILE", "no-such-profile")
    with pytest.raises(SystemExit) as ended:
        main(["warm"])
    assert ended.value.code == 0
    assert "Kernels are compiled" in capsys.readouterr().out


if __name__ == "__main__":
    compile_kernels()
    sys.stdout.write("\n".join(_report()))
