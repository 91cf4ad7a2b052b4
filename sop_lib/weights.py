"""The weights of the models in the mean, learned from the backtest where learning has paid before.

Two schemes compete in each rule: equal weights, and weights of each series' own, in inverse proportion to the
models' squared errors. At every origin the scheme is taken that had won at the decision lag until then, with
weights learned from the errors known by then: the combination in the backtest is what the company would have used.
Sources: Bates and Granger (1969) for weights from past errors; Claeskens and others (2016) for why equal ones are
hard to beat.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sop_lib.models import COMBINATION, Rule

__all__ = ["Weighed", "combined", "weighed"]

SCHEMES = ("equal", "per series")
ORIGINS_NEEDED = 3  # judged on fewer, a scheme would win by chance
PRIOR = 12  # errors that draw the weights of a series towards equal ones
CUT = 5.0  # scaled errors are cut here, so that one spike does not decide
SQUARED = ("intermittent",)  # an all-zero forecast wins absolute errors there


@dataclass(frozen=True)
class Weighed:
    """The weights of each series at every origin of the backtest and ahead, and how the schemes did.

    `tested` has series, origin, model and weight; `ahead` series, rule, model and weight; `schemes` rule, scheme,
    loss, origins and used.
    """

    tested: pd.DataFrame
    ahead: pd.DataFrame
    schemes: pd.DataFrame


def weighed(tested: pd.DataFrame, ahead: pd.DataFrame, recipes: dict[str, Rule], lag: int) -> Weighed:
    """Return the weights of the models of each series; those of a series and origin sum to 1.

    `tested` holds forecast and actual per series, model, origin and lag, with rule and scale as known at the first
    origin; `ahead` names each series and its rule of now. `lag` is the decision lag. Schemes are judged by scaled
    absolute errors, for intermittent series by scaled squares.
    """
    done = [
        _of_rule(
            tested[(tested["rule"] == rule) & tested["model"].isin(recipe.models)],
            ahead.loc[ahead["rule"] == rule, "series"], rule, list(recipe.models), lag,
        )
        for rule, recipe in recipes.items()
    ]  # fmt: skip
    parts = [[getattr(one, name) for one in done] for name in Weighed.__dataclass_fields__]
    return Weighed(*(pd.concat([t for t in tables if len(t)] or tables[:1], ignore_index=True) for tables in parts))


def combined(rows: pd.DataFrame, weights: pd.DataFrame, on: list[str]) -> pd.DataFrame:
    """Return series, origin, month and the weighted mean of the models' forecasts, in units.

    `on` names what tells the weights apart beside the model. A model that said nothing gives its weight to the others.

    >>> rows = pd.DataFrame({"series": "S", "origin": 0, "month": 1, "model": ["a", "b"], "forecast": [10.0, 20.0]})
    >>> weights = pd.DataFrame({"series": "S", "model": ["a", "b", "c"], "weight": [0.6, 0.2, 0.2]})
    >>> combined(rows, weights, ["series"])["forecast"].tolist()
    [12.5]
    """
    both = rows.merge(weights, on=[*on, "model"], how="inner", validate="many_to_one")
    both["part"] = both["forecast"] * both["weight"]
    sums = both.groupby(["series", "origin", "month"], as_index=False)[["part", "weight"]].sum()
    sums["forecast"] = sums["part"] / sums["weight"]
    return sums[["series", "origin", "month", "forecast"]].assign(model=COMBINATION)


def _of_rule(tested: pd.DataFrame, ahead: pd.Series, rule: str, models: list[str], lag: int) -> Weighed:
    """Return the weights of one rule: at each origin those of the scheme that had won by then."""
    series, origins = pd.Index(sorted(tested["series"].unique())), pd.DatetimeIndex(sorted(tested["origin"].unique()))
    errors = _scaled_errors(tested, models, series, origins, rule in SQUARED)
    then, losses = [], np.empty((0, len(SCHEMES)))
    for at, origin in enumerate(origins):
        each = _schemes(errors, at)
        best = each[_best(losses[: max(0, at - lag + 1)])]
        then.append(pd.DataFrame(best.T, series, models).assign(origin=origin))
        lost = [_loss(errors[:, :, at, :], weight, lag, rule in SQUARED) for weight in each]
        losses = np.vstack([losses, lost])
    final = pd.DataFrame(_schemes(errors, sum(errors.shape[2:]))[_best(losses)].T, series, models, dtype=float)
    now = final.reindex(ahead.unique()).fillna(1 / len(models)).rename_axis("series").reset_index().assign(rule=rule)
    past = pd.concat(then).rename_axis("series").reset_index() if then else now.head(0).assign(origin=pd.NaT)
    ends = {"value_vars": models, "var_name": "model", "value_name": "weight"}
    return Weighed(past.melt(["series", "origin"], **ends), now.melt(["series", "rule"], **ends), _told(losses, rule))


def _scaled_errors(
    tested: pd.DataFrame, models: list[str], series: pd.Index, origins: pd.DatetimeIndex, squared: bool
) -> np.ndarray:
    """Return error over scale: model × series × origin × lag, blank where there is no forecast or no scale."""
    scale = np.sqrt(tested["scale_sq"].astype(float)) if squared else tested["scale"].astype(float)
    lags = tested["lag"].to_numpy(dtype=int)
    out = np.full((len(models), len(series), len(origins), lags.max(initial=0)), np.nan)
    at = (pd.Index(models).get_indexer(tested["model"]), series.get_indexer(tested["series"]))
    out[(*at, origins.get_indexer(tested["origin"]), lags - 1)] = (
        (tested["forecast"] - tested["actual"]) / scale.where(scale > 0)
    ).clip(-CUT, CUT)
    return out


def _schemes(errors: np.ndarray, at: int) -> list[np.ndarray]:
    """Return the weights of each scheme, model × series, from the errors of months up to origin number `at`."""
    origin, lag = np.indices(errors.shape[2:])
    known = errors[:, :, origin + lag + 1 <= at]
    count = np.isfinite(known).sum(axis=2)
    square = np.nansum(known**2, axis=2)
    usual = square.sum(axis=0) / np.maximum(count.sum(axis=0), 1) + 1e-9
    inverse = (count + PRIOR) / (square + PRIOR * usual)
    return [np.full(errors.shape[:2], 1 / len(errors)), inverse / inverse.sum(axis=0)]


def _loss(errors: np.ndarray, weight: np.ndarray, lag: int, squared: bool) -> float:
    """Return the mean scaled error of the weighted mean at a lag over all series: absolute, or squared."""
    at = errors[:, :, min(lag, errors.shape[2]) - 1]
    share = np.where(np.isfinite(at), weight, 0.0)
    total = share.sum(axis=0)
    mean = np.nansum(at * share, axis=0)[total > 0] / total[total > 0]
    return float((mean**2 if squared else np.abs(mean)).mean()) if len(mean) else np.nan


def _best(losses: np.ndarray) -> int:
    """Return the number of the scheme with the least loss so far; equal weights until there is enough to judge by."""
    enough = np.isfinite(losses).all(axis=1).sum() >= ORIGINS_NEEDED
    return int(np.nanmean(losses, axis=0).argmin()) if enough else 0


def _told(losses: np.ndarray, rule: str) -> pd.DataFrame:
    """Return the mean loss of each scheme over the origins, and which one is used ahead."""
    loss = pd.DataFrame(losses).mean().reindex(range(len(SCHEMES)))
    out = pd.DataFrame({"rule": rule, "scheme": SCHEMES, "loss": loss, "origins": len(losses)})
    return out.assign(used=out.index == _best(losses))
