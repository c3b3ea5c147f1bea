"""The catalogue as a page of documentation."""

from collections.abc import Iterator

from trading_pipeline.indicators.catalog import CATALOG, Category, IndicatorSpec

_INTRODUCTION = """\
# Indicators

{n} indicators in {n_categories} categories. This page is made from the catalogue
(`trading indicators list --markdown`); a test keeps it true.

- **Causal:** a value reads its own bar and older ones. Nothing is rewritten when bars are added.
- **Warm-up:** so many leading values are missing (empty in a table, NaN in an array). An
  indicator over fewer bars than that answers with missing values only.
- **Missing and infinite values:** a missing input (NaN) makes every value missing that depends on
  it, those of later windows not. Candles of the pipeline are finite, others are refused; the bare
  functions take an infinity as it is, and what depends on it is infinite, missing or a limit.
- **Finite or recursive:** a finite indicator is a function of its window, bit for bit, wherever
  the history starts. A recursive one remembers; from the same first bar it gives the same bits.
- **One definition:** whole history, chunks of any length and bar by bar
  (`trading_pipeline.indicators.stream.IndicatorStream`) give the same bits.
- **Equals** names the implementation that the tests compare with, besides a slow loop over exact
  fractions for every entry. Prices are decimals: where a tie decides (MFI, ADX, patterns), the
  comparison is as in whole ticks. Known differences are in the description.

`trading indicators run --symbol BTC-USDT --indicators rsi,ema:50 --out values.csv --timings`
computes them on stored candles. In `config.yaml` the default set has keys of its own
(`indicators.rsi.period`, `enabled: false`), any other goes under `indicators.more`
(`more: {{wma: {{period: 30}}}}`). They become columns of `indicator_features`; models see those
that [have a formula](add_an_indicator.md) in the feature matrix, so the default set is unchanged
until you add one. Your own: [add an indicator](add_an_indicator.md).
"""


def catalogue_page() -> str:
    """Return the page in Markdown."""
    built_in = [spec for spec in CATALOG.values() if _is_built_in(spec)]
    parts = [_INTRODUCTION.format(n=len(built_in), n_categories=len(Category))]
    for category in Category:
        entries = [spec for spec in built_in if spec.category is category]
        parts.append(f"## {str(category).capitalize()}\n")
        parts.extend("\n".join(_entry(spec)) + "\n" for spec in entries)
    return "\n".join(parts).replace("``", "`")


def _is_built_in(spec: IndicatorSpec) -> bool:
    module: str = spec.kernel.__module__
    return module.startswith("trading_pipeline.")


def _entry(spec: IndicatorSpec) -> Iterator[str]:
    yield f"### `{spec.name}`\n"
    yield spec.summary
    if spec.description:
        yield f"\n{spec.description}"
    yield ""
    for name, setting in spec.settings.items():
        yield (
            f"- `{name}` = {setting.default:g}: {setting.meaning}, "
            f"{setting.low:g} to {setting.high:g}"
        )
    kind = "recursive" if spec.is_recursive else "finite window"
    yield f"- reads {', '.join(spec.inputs)}; gives {', '.join(f'`{o}`' for o in spec.outputs)}"
    yield (
        f"- {spec.scale} (natural scale {spec.natural_scale:g}); {kind}; "
        f"warm-up {spec.warm_up(spec.parameters)} bars with the defaults"
    )
    yield f"- reference: {spec.reference}"
    yield f"- equals: {spec.oracle}"
