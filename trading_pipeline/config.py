"""Settings: the only reader of ``config.yaml``, of profiles and of the environment.

Later wins: defaults, ``config.yaml``, the active profile, the environment. A profile is a small
YAML file under ``<storage root>/profiles``; what its runs write lands in a folder of its name.
"""

import os
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import yaml
from pydantic import BaseModel, PrivateAttr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from trading_pipeline.config_indicators import IndicatorSettings, SmartMoneySection
from trading_pipeline.config_sections import (
    BacktestSection,
    ExecutionSection,
    FeatureSection,
    LabelSection,
    MarketSettings,
    ModelSection,
    RiskSection,
    SignalSection,
    StorageSettings,
    StrategySection,
    WalkForwardSection,
)
from trading_pipeline.core.errors import ConfigError
from trading_pipeline.core.instrument import Symbol

ENVIRONMENT_PREFIX = "TRADING__"
NO_PROFILE = "none"
_NO_ORDERS: Mapping[str, object] = {"execution": {"enabled": False}}

# Where values were set, and the values.
_Layer: TypeAlias = tuple[str, Mapping[str, object]]


class Settings(BaseSettings):
    """Every setting, typed; see ``config.yaml`` for what each means."""

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
    )

    market: MarketSettings = MarketSettings()
    storage: StorageSettings = StorageSettings()
    indicators: IndicatorSettings = IndicatorSettings()
    smart_money: SmartMoneySection = SmartMoneySection()
    features: FeatureSection = FeatureSection()
    labels: LabelSection = LabelSection()
    models: ModelSection = ModelSection()
    walk_forward: WalkForwardSection = WalkForwardSection()
    strategies: StrategySection = StrategySection()
    signals: SignalSection = SignalSection()
    backtest: BacktestSection = BacktestSection()
    risk: RiskSection = RiskSection()
    execution: ExecutionSection = ExecutionSection()
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    _home: Path = PrivateAttr(default_factory=Path.cwd)
    _profile: str | None = PrivateAttr(default=None)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take arguments only: :func:`load_settings` reads files and environment."""
        return (init_settings,)

    @property
    def home(self) -> Path:
        """Folder of ``config.yaml``; relative paths start here."""
        return self._home

    @property
    def profile(self) -> str | None:
        """Name of the active profile, if one is."""
        return self._profile

    @property
    def storage_base(self) -> Path:
        """The storage root, shared by all profiles."""
        return (self._home / Path(self.storage.root).expanduser()).resolve()

    @property
    def storage_root(self) -> Path:
        """Folder of everything that runs of this profile write."""
        return self.storage_base / self._profile if self._profile else self.storage_base

    @property
    def lake_root(self) -> str:
        """Where the lake of this profile is: a folder, or ``s3://bucket/prefix``."""
        named = self.storage.lake_root
        if named is None:
            return str(self.storage_root / "lake")
        if "://" not in named:
            named = str((self._home / Path(named).expanduser()).resolve())
        return f"{named.rstrip('/')}/{self._profile}" if self._profile else named

    @property
    def database_url(self) -> str:
        """Address of the ledger."""
        if self.storage.database_url:
            return self.storage.database_url
        return f"sqlite:///{self.storage_root / 'ledger.sqlite'}"

    @property
    def is_simulated(self) -> bool:
        """Whether candles come from the embedded simulated exchange."""
        return self.market.venue == "simulated" and not self.market.candle_files


def project_home() -> Path:
    """Return the folder of ``config.yaml``: TRADING_HOME, else here, else beside the package."""
    named = os.environ.get("TRADING_HOME")
    if named:
        return Path(named).resolve()
    if (Path.cwd() / "config.yaml").is_file():
        return Path.cwd()
    return Path(__file__).resolve().parents[1]


def load_settings(home: Path | None = None, profile: str | None = None) -> Settings:
    """Load and check every setting.

    Parameters
    ----------
    home : Path, optional
        Folder of ``config.yaml``; default :func:`project_home`.
    profile : str, optional
        Profile to use; default TRADING_PROFILE, else the last one that was written, else none.
        ``"none"`` is ``config.yaml`` alone.

    Raises
    ------
    ConfigError
        If a file cannot be read, a key is unknown (the nearest known one is named) or a value is
        refused; the message says which key, where it was set, and what is allowed.
    """
    home = project_home() if home is None else home
    _read_dotenv(home)
    _refuse_unknown_variables()
    base_file = home / "config.yaml"
    values = _read_yaml(base_file) if base_file.is_file() else {}
    base = _storage_base(home, values)
    name = _active_profile(base, profile)
    layers: list[_Layer] = [(str(base_file), _spelled(values))]
    if name is not None:
        profile_file = profile_path(base, name)
        if not profile_file.is_file():
            known = ", ".join(known_profiles(base)) or "none was written yet"
            raise ConfigError(f"there is no profile {name!r} in {base / 'profiles'} ({known})")
        layers.append((str(profile_file), _spelled(_read_yaml(profile_file))))
    layers += _environment()
    merged: dict[str, object] = {}
    for _, layer in layers:
        merged = _merge(merged, layer)
    try:
        settings = Settings(**merged)  # type: ignore[arg-type]
    except ValidationError as error:
        raise ConfigError(_explain(error, layers)) from error
    settings._home = home  # noqa: SLF001
    settings._profile = name  # noqa: SLF001
    return settings


def profile_path(storage_base: Path, name: str) -> Path:
    """Return the file of profile ``name``."""
    return storage_base / "profiles" / f"{name}.yaml"


def known_profiles(storage_base: Path) -> list[str]:
    """Return the names of the profiles that were written."""
    return sorted(path.stem for path in (storage_base / "profiles").glob("*.yaml"))


def use_profile(storage_base: Path, name: str) -> None:
    """Make ``name`` the profile of the next commands (``"none"``: config.yaml alone)."""
    _replace(storage_base / "profiles" / "current", name + "\n")


def write_profile(home: Path, name: str, values: Mapping[str, object], comment: str) -> Path:
    """Write profile ``name`` with ``values`` over ``config.yaml`` and make it the active one."""
    base_file = home / "config.yaml"
    base = _storage_base(home, _read_yaml(base_file) if base_file.is_file() else {})
    path = profile_path(base, name)
    _replace(path, f"# {comment}\n" + yaml.safe_dump(dict(values), sort_keys=False))
    use_profile(base, name)
    return path


def _replace(path: Path, text: str) -> None:
    temporary = path.with_suffix(".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text)
        temporary.replace(path)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written ({error.strerror}); fix the permissions or choose another "
            "storage.root"
        ) from error


def _storage_base(home: Path, values: Mapping[str, object]) -> Path:
    storage = values.get("storage")
    from_file = storage.get("root") if isinstance(storage, Mapping) else None
    root = os.environ.get(f"{ENVIRONMENT_PREFIX}STORAGE__ROOT") or from_file or "data"
    return (home / Path(str(root)).expanduser()).resolve()


def _active_profile(base: Path, asked: str | None) -> str | None:
    current = base / "profiles" / "current"
    name = asked or os.environ.get("TRADING_PROFILE")
    if not name and current.is_file():
        name = current.read_text().strip()
    return None if not name or name == NO_PROFILE else name


def _read_yaml(path: Path) -> dict[str, object]:
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} must be readable YAML: {error}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path} must hold sections of settings, was {type(content).__name__}")
    return {str(key): value for key, value in content.items()}


def _read_dotenv(home: Path) -> None:
    # Variables that are already set win over the file, as with every other reader of .env files.
    from dotenv import dotenv_values

    for name, value in dotenv_values(home / ".env").items():
        if value is not None:
            os.environ.setdefault(name, value)


def _environment() -> list[_Layer]:
    aliases = _aliases()
    layers = [*aliases]
    source = EnvSettingsSource(Settings)
    # A whole section sorts before its keys, so that the more exact variable wins.
    for variable in sorted(name for name, value in os.environ.items() if value and _is_ours(name)):
        source.env_vars = {variable.lower(): os.environ[variable]}
        try:
            values = source()
        except SettingsError as error:
            raise ConfigError(
                f"{variable}: a list or a section is written as JSON, such as [9, 21] "
                f"(value: {os.environ[variable]!r})"
            ) from error
        layers.append((f"environment variable {variable}", _spelled(values)))
    # What asks for fewer orders wins, whatever else is set.
    layers += [layer for layer in aliases if layer[1] == _NO_ORDERS]
    return layers


def _is_ours(variable: str) -> bool:
    return variable.upper().startswith(ENVIRONMENT_PREFIX)


def _aliases() -> list[_Layer]:
    # Names that traders already have in their environment.
    found: list[_Layer] = []
    if url := os.environ.get("DATABASE_URL"):
        found.append(_alias("DATABASE_URL", {"storage": {"database_url": url}}))
    if url := os.environ.get("REDIS_URL"):
        found.append(_alias("REDIS_URL", {"storage": {"redis_url": url}}))
    if level := os.environ.get("LOG_LEVEL"):
        found.append(_alias("LOG_LEVEL", {"log_level": level.upper()}))
    if (dry_run := os.environ.get("DRY_RUN")) is not None:
        if dry_run.lower() not in {"true", "false", "1", "0", "yes", "no"}:
            raise ConfigError(f"DRY_RUN must be true or false, was {dry_run!r}")
        is_dry = dry_run.lower() in {"true", "1", "yes"}
        found.append(_alias("DRY_RUN", _NO_ORDERS if is_dry else {"execution": {"enabled": True}}))
    return found


def _alias(variable: str, values: Mapping[str, object]) -> _Layer:
    return f"environment variable {variable}", values


def _spelled(values: Mapping[str, object]) -> Mapping[str, object]:
    # One spelling of symbols, so that BTC/USDT in one layer is BTC-USDT in another.
    market = values.get("market")
    symbols = market.get("symbols") if isinstance(market, Mapping) else None
    if not isinstance(market, Mapping) or not isinstance(symbols, Mapping):
        return values
    renamed: dict[str, object] = {}
    for name, entry in symbols.items():
        try:
            renamed[Symbol.parse(str(name)).key] = entry
        except ConfigError:
            renamed[str(name)] = entry
    return {**values, "market": {**market, "symbols": renamed}}


def _merge(below: Mapping[str, object], above: Mapping[str, object]) -> dict[str, object]:
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        if isinstance(value, Mapping) and isinstance(under, Mapping) and key != "symbols":
            merged[key] = _merge(under, value)
        else:
            merged[key] = value
    return merged


def _refuse_unknown_variables() -> None:
    # The settings library ignores a variable that names no field; a typo must not be silent.
    known = list(Settings.model_fields)
    for variable in filter(_is_ours, os.environ):
        path = variable[len(ENVIRONMENT_PREFIX) :].lower().split("__")
        if path[0] not in known:
            raise ConfigError(f"{variable}: {_near('section', path[0], known)}")
        if path[:2] == ["market", "symbols"] and len(path) > 2:
            raise ConfigError(
                f"{variable}: symbols are set all at once, such as "
                f"""{ENVIRONMENT_PREFIX}MARKET__SYMBOLS='{{"BTC-USDT": {{}}, "ETH-USDT": {{}}}}'"""
            )


def _explain(error: ValidationError, layers: Sequence[_Layer]) -> str:
    lines = [_explain_one(detail, layers) for detail in error.errors()]
    return "; ".join(lines)


def _explain_one(detail: ErrorDetails, layers: Sequence[_Layer]) -> str:
    location = [str(part) for part in detail["loc"]]
    where = f"{'.'.join(location)} ({_origin(location, layers)})"
    if detail["type"] == "extra_forbidden":
        return f"{where}: {_near('key', location[-1], _fields_at(location[:-1]))}"
    reason = detail["msg"].removeprefix("Value error, ")
    # A rule between keys gets the whole section; its message already says the values.
    value = "" if isinstance(detail["input"], Mapping) else f" (value: {detail['input']!r})"
    return f"{where}: {reason}{value}"


def _near(kind: str, name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=2, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(known)}"
    return f"unknown {kind} {name!r}; {hint}"


def _fields_at(location: list[str]) -> list[str]:
    kind: object = Settings
    for part in location:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            kind = kind.model_fields[part].annotation
        else:  # a mapping from names to sections
            kind = get_args(kind)[-1]
    assert isinstance(kind, type)
    assert issubclass(kind, BaseModel)
    return list(kind.model_fields)


def _origin(location: list[str], layers: Sequence[_Layer]) -> str:
    for end in range(len(location), 0, -1):
        for source, layer in reversed(layers):
            if _is_set(layer, location[:end]):
                return source
    return "defaults"


def _is_set(layer: Mapping[str, object], location: list[str]) -> bool:
    value: object = layer
    for part in location:
        if not isinstance(value, Mapping) or part not in value:
            return False
        value = value[part]
    return True
