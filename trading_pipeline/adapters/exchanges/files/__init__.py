"""Candle files that traders have: recognised, cleaned, and served as a candle source."""

from trading_pipeline.adapters.exchanges.files.candle_file import CandleFile, read_candle_file
from trading_pipeline.adapters.exchanges.files.layouts import Layout
from trading_pipeline.adapters.exchanges.files.scan import (
    SkippedFile,
    Survey,
    scan_candle_files,
    survey_candle_files,
)
from trading_pipeline.adapters.exchanges.files.source import FileCandleSource, Holding

__all__ = [
    "CandleFile",
    "FileCandleSource",
    "Holding",
    "Layout",
    "SkippedFile",
    "Survey",
    "read_candle_file",
    "scan_candle_files",
    "survey_candle_files",
]
