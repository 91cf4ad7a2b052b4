"""The forecast models and the rules that say which of them forecast a series. A new model is one line of MODELS."""

from dataclasses import dataclass

__all__ = ["BENCHMARK", "COMBINATION", "MODELS", "ORIGINS", "RECIPES", "RULES", "SEASON", "STILL", "Model", "Rule"]

SEASON = 12
COMBINATION, BENCHMARK = "combination", "seasonal_naive"


@dataclass(frozen=True)
class Model:
    """A model of statsforecast: its class, its settings, and whether a backtest must fit it at every origin."""

    name: str
    settings: dict
    refit: bool = False

    def make(self):
        """Return a new model of statsforecast, imported only now because that takes seconds."""
        from statsforecast import models

        given = {name: value.make() if isinstance(value, Model) else value for name, value in self.settings.items()}
        own = next((alias for alias, model in MODELS.items() if model is self), self.name)
        return getattr(models, self.name)(**given, alias=own)


@dataclass(frozen=True)
class Rule:
    """Which models forecast a series, and the words for it in `forecast.method`."""

    models: tuple[str, ...]
    reason: str


MODELS = {
    "theta": Model("DynamicOptimizedTheta", {"season_length": SEASON}),
    "plain_theta": Model("Theta", {"season_length": SEASON}),
    "ets": Model("AutoETS", {"season_length": SEASON, "damped": True}),
    "stl": Model(
        "MSTL",
        {"season_length": SEASON, "trend_forecaster": Model("DynamicOptimizedTheta", {"season_length": 1})},
    ),
    "stl_ets": Model(
        "MSTL",
        {"season_length": SEASON, "trend_forecaster": Model("AutoETS", {"model": "ZZN", "damped": True})},
    ),
    "adida": Model("ADIDA", {}, refit=True),
    "imapa": Model("IMAPA", {}, refit=True),
    "tsb": Model("TSB", {"alpha_d": 0.2, "alpha_p": 0.2}, refit=True),
    "mean": Model("HistoricAverage", {}, refit=True),
    "last": Model("Naive", {}),
    "zero": Model("ZeroModel", {}),
    "last_year": Model("SeasonalNaive", {"season_length": SEASON}),
    BENCHMARK: Model("SeasonalNaive", {"season_length": SEASON}),
}
# Names that are not in MODELS are of `pooled.POOLED`, which learns from all series at once.
RULES = {
    COMBINATION: Rule(("theta", "ets", "stl", "pooled"), "combination"),
    "intermittent": Rule(("adida", "imapa", "tsb", "pooled_means"), "intermittent: ADIDA, IMAPA, TSB and pooled means"),
    "under two years": Rule(("last_year",), "12 to 23 months: seasonal naive"),
    "short": Rule(("mean",), "6 to 11 months: their mean"),
    "young": Rule(("mean",), "under 6 months: their mean"),
    "constant": Rule(("last",), "constant: its value"),
    "never sold": Rule(("zero",), "never sold: zero"),
    "ended": Rule(("zero",), "ended: zero"),
}
ORIGINS = {"best": 12, "fast": 8}  # months that the backtest forecasts from
RECIPES = {
    "best": RULES,
    "fast": RULES | {COMBINATION: Rule(("theta", "plain_theta", "stl_ets", "pooled"), "combination")},
}
STILL = ["ended", "never sold", "constant"]  # rules of series whose forecast has no range
