"""Measure the demand engine on series with a known future, beside its peers in the same run.

python -m benchmarks.forecast FILE.parquet [--limit N] [--json] [--statsmodels]

FILE holds unique_id, ds (months), y, split (train or test); the horizon is the longest test part. The engine and
its ranges see the training parts alone and run as `sop run` runs them, with its environment. It takes a series that
stops before the last known month as ended, so the months of each series are moved until all training parts end
with the latest one; nothing in the engine or its peers looks at the calendar. Forecasts and ranges are clipped at 0.

Scores: see benchmarks.scores. CPU is of the whole process tree, backtest and ranges included, after a first run
on two series that loads the libraries; peak memory is of this process until the engine ends (a peer has none of
its own). A peer that fails on some series has the seasonal naive there, and says so. --statsmodels: the ETS forms
that statsforecast tries, damped ones and all, searched by AICc through statsmodels on 50 series by a hash of their
names, beside statsforecast on the same and the engine's share of the whole run.

Reproduced to the digit, of figures measured elsewhere on these files: M3 monthly sMAPE / MASE / OWA of the seasonal
naive 17.234 / 1.146 / 1.066, Theta 13.827 / .861 / .827, DOTM 13.725 / .850 / .819 (MSIS95 7.64), damped ETS 13.863 /
.874 / .835; hospital OWA of Theta .825, DOTM .819. Carparts RMSSE with these scores: IMAPA .716, ADIDA .720, TSB .724
as there; all-zero .727, SES .735, DOTM .748, naive .880, SBA .807 are .001 and Croston .817 is .002 above.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.scores import SEASON, naive2, scales, scores
from benchmarks.series import by_hash, read
from sop_lib import baseline, ranges, steps
from sop_lib.accuracy import QUANTILES
from sop_lib.models import COMBINATION
from sop_lib.settings import Planning

BOUNDS = {"p025": "engine-lo-95", "p10": "engine-lo-80", "p90": "engine-hi-80", "p975": "engine-hi-95"}
PEERS = {
    "seasonal_naive": ("SeasonalNaive", {}),
    "theta": ("Theta", {}),
    "dotm": ("DynamicOptimizedTheta", {}),
    "ets": ("AutoETS", {"damped": True}),
}
SEARCHES = {"damped_ets": {"damped": True}, "all_ets": {"damped": None}}
TRENDS = [(None, False), ("add", False), ("add", True)]
SEASONS = [("add", None), ("add", "add"), ("mul", None), ("mul", "add"), ("mul", "mul")]
ETS_FORMS = [(error, *trend, season) for trend in TRENDS for error, season in SEASONS]
COMPARED, CHUNK = 50, 200
SHOWN = ["owa", "smape", "mase", "rmsse", "bias", "msis95", "cpu_s_per_1000", "peak_mb"]
HELD = ["coverage80", "coverage95"]


# The engine and its peers


def engine_result(panel: pd.DataFrame, horizon: int, **how) -> pd.DataFrame:
    """Return series, month, forecast and the quantiles of QUANTILES, in units, as the batch makes them."""
    found = baseline.baseline(panel, horizon, Planning().decision_lag, **how)
    months = pd.date_range(panel["month"].max(), periods=horizon + 1, freq="MS")[1:]
    own = found.forecasts.table[found.forecasts.table["model"] == COMBINATION]
    series, paths = ranges.sample_paths(found, months)
    parts = [paths[:, start : start + CHUNK] for start in range(0, len(series), CHUNK)]
    at = np.concatenate([np.quantile(part, list(QUANTILES.values()), axis=0) for part in parts], axis=1)
    index = pd.MultiIndex.from_product([series["series"], months], names=["series", "month"])
    out = pd.DataFrame(at.reshape(len(QUANTILES), -1).T, index=index, columns=list(QUANTILES)).reset_index()
    return out.merge(own[["series", "month", "forecast"]], on=["series", "month"], how="left", validate="one_to_one")


def engine(train: pd.DataFrame, horizon: int, **how) -> pd.DataFrame:
    """Return unique_id, step, the engine's forecast as `engine` and its ranges, each series a product of its own."""
    panel = train.rename(columns={"unique_id": "series", "ds": "month", "y": "quantity"})
    panel = panel.assign(level="product", family="ALL", product=panel["series"], region="ALL")
    out = engine_result(panel, horizon, **how).rename(columns={"series": "unique_id", "forecast": "engine", **BOUNDS})
    return _by_step(out.sort_values(["unique_id", "month"]), ["engine", *BOUNDS.values()])


def peer(name: str, train: pd.DataFrame, horizon: int) -> pd.DataFrame:
    """Return unique_id, step, the forecast of a peer under its name and its ranges; `attrs["failed"]` if it did."""
    from statsforecast import StatsForecast, models

    model, settings = PEERS[name]
    made = getattr(models, model)(season_length=SEASON, alias=name, **settings)
    asked, failed = {"df": train, "h": horizon, "level": [80, 95]}, ""
    try:
        out = StatsForecast([made], freq="MS").forecast(**asked)
    except Exception as error:
        failed = f"fails on some series ({error}): their seasonal naive counts"
        instead = models.SeasonalNaive(season_length=SEASON)
        out = StatsForecast([made], freq="MS", fallback_model=instead).forecast(**asked)
    columns = [column for column in out if column.startswith(name)]
    blank = out["unique_id"].isin(out.loc[out[columns].isna().any(axis=1), "unique_id"])
    if blank.any():
        failed = f"blank for {out.loc[blank, 'unique_id'].nunique()} series: their last month counts, without a range"
        last = train.groupby("unique_id")["y"].last()
        out[columns] = out[columns].mask(blank, out["unique_id"].map(last), axis=0)
    out = _by_step(out, columns)
    out.attrs["failed"] = failed
    return out


def _by_step(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    out = table[["unique_id"]].assign(step=table.groupby("unique_id").cumcount() + 1)
    return out.join(table[columns]).reset_index(drop=True)


# Measuring


def benchmark(train: pd.DataFrame, test: pd.DataFrame, **how) -> tuple[dict, pd.DataFrame]:
    """Return the record of the engine with those of its peers, and every method's forecasts beside the actuals.

    `how` goes to `baseline.baseline`.
    """
    horizon, rows, cost, failed = int(test["step"].max()), test, {}, {}
    makers: dict[str, Callable] = {"engine": partial(engine, **how), "naive2": naive2}
    makers |= {name: partial(peer, name) for name in PEERS}
    few = train[train["unique_id"].isin(train["unique_id"].unique()[:2])]
    for name, make in makers.items():
        print(f"{name} ...", file=sys.stderr)
        make(few, horizon)
        began = _cpu()
        table = make(train, horizon)
        cost[name] = {"cpu_s": _cpu() - began, "peak_mb": _peak_mb() if name == "engine" else None}
        failed[name] = table.attrs.get("failed")
        rows = rows.merge(table, on=["unique_id", "step"], how="left", validate="one_to_one")
    made = [column for column in rows if column not in test]
    blank = sorted(rows.loc[rows[made].isna().any(axis=1), "unique_id"].unique())
    if blank:
        raise RuntimeError(f"{len(blank)} series have no forecast or range, first {blank[0]}")
    rows[made] = rows[made].clip(lower=0)
    table, count = scores(rows, train, list(makers)), train["unique_id"].nunique()
    records = {
        name: {"series": count, "horizon": horizon, **table.loc[name],
               "cpu_s_per_1000": 1000 * spent["cpu_s"] / count, "peak_mb": spent["peak_mb"]}
        for name, spent in cost.items()
    }  # fmt: skip
    peers = {name: record | ({"failed": failed[name]} if failed[name] else {}) for name, record in records.items()}
    found = peers.pop("engine") | {"unscaled": int(scales(train)["unscaled"].sum()), "peers": peers}
    return found, rows


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


# Beside statsmodels


def _compared(train: pd.DataFrame) -> list[str]:
    months = train.groupby("unique_id").size()
    chosen = sorted(months.index[months >= 3 * SEASON], key=by_hash)[:COMPARED]
    if not chosen:
        raise ValueError("--statsmodels compares series with 36 training months or more, and there is none")
    return chosen


def beside_statsmodels(train: pd.DataFrame, rows: pd.DataFrame, chosen: list[str], engine_cpu: float) -> dict:
    """Return CPU and scores of each ETS search through statsmodels and statsforecast, and of the engine.

    All on the series chosen; `engine_cpu` is what the engine took per 1,000 series of the whole run. `times` is the
    CPU of statsmodels over that of statsforecast, `times_engine` over that of the engine.
    """
    few, rows = train[train["unique_id"].isin(chosen)], rows[rows["unique_id"].isin(chosen)]
    horizon, cpu = int(rows["step"].max()), {"engine": engine_cpu}
    for search, settings in SEARCHES.items():
        for library, run in (("statsmodels", _by_statsmodels), ("statsforecast", _by_statsforecast)):
            run(few[few["unique_id"] == chosen[0]], horizon, **settings)
            began = _cpu()
            table = run(few, horizon, **settings).rename(columns={"forecast": f"{search} {library}"})
            cpu[f"{search} {library}"] = 1000 * (_cpu() - began) / len(chosen)
            rows = rows.merge(table, on=["unique_id", "step"], how="left", validate="one_to_one")
    rows[list(cpu)] = rows[list(cpu)].clip(lower=0)
    table = scores(rows, few, ["naive2", *cpu])
    each = {name: {"cpu_s_per_1000": spent, **table.loc[name, ["owa", "smape", "mase"]]} for name, spent in cpu.items()}
    out = {"series": len(chosen), "engine": each["engine"]}
    for search in SEARCHES:
        ours, theirs = each[f"{search} statsforecast"], each[f"{search} statsmodels"]
        times = {
            "times": theirs["cpu_s_per_1000"] / ours["cpu_s_per_1000"],
            "times_engine": theirs["cpu_s_per_1000"] / engine_cpu,
        }
        out[search] = {"statsmodels": theirs, "statsforecast": ours, **times}
    return out


def _by_statsforecast(train: pd.DataFrame, horizon: int, damped: bool | None) -> pd.DataFrame:
    from statsforecast import StatsForecast, models

    model = models.AutoETS(season_length=SEASON, damped=damped, alias="forecast")
    return _by_step(StatsForecast([model], freq="MS").forecast(df=train, h=horizon), ["forecast"])


def _by_statsmodels(train: pd.DataFrame, horizon: int, damped: bool | None) -> pd.DataFrame:
    ahead = {name: ets_search(y.to_numpy(), horizon, damped) for name, y in train.groupby("unique_id")["y"]}
    table = pd.DataFrame(ahead).melt(var_name="unique_id", value_name="forecast")
    return _by_step(table, ["forecast"])


def ets_search(y: np.ndarray, horizon: int, damped: bool | None) -> np.ndarray:
    """Return the forecast of the ETS form with the lowest AICc, among those that statsforecast's AutoETS tries.

    With a damped trend only if `damped` is True; with every trend it tries if None.
    """
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    fits = [
        ETSModel(y, error=error, trend=trend, damped_trend=down, seasonal=season, seasonal_periods=season and SEASON)
        for error, trend, down, season in ETS_FORMS
        if (down or not damped) and (y.min() > 0 or "mul" not in (error, season))
    ]
    fits = [form.fit(disp=False) for form in fits]
    return min(fits, key=lambda fit: fit.aicc if np.isfinite(fit.aicc) else np.inf).forecast(horizon)


# What is printed


def shown(found: dict) -> str:
    """Return the record as a table to read: a row per method, then how the engine's ranges held by month."""
    records = {"engine": found, **found["peers"]}
    table = pd.DataFrame({name: {k: r[k] for k in SHOWN} for name, r in records.items()}).T.astype(float)
    for level in ("coverage80", "coverage95"):
        table.insert(6, level, [np.mean(r[level]) if r[level] else np.nan for r in records.values()])
    table = table[[*SHOWN[:5], "coverage80", "coverage95", *SHOWN[5:]]]
    lines = [f"{found['series']} series, {found['horizon']} months ahead", ""]
    lines += [table.to_string(float_format="{:.3f}".format, na_rep="-"), ""]
    lines += [f"engine {level} by month: " + " ".join(f"{v:.3f}" for v in found[level]) for level in HELD]
    lines += [f"{name}: {record['failed']}" for name, record in found["peers"].items() if "failed" in record]
    if found["unscaled"]:
        lines.append(f"{found['unscaled']} series take the median scale: their own is zero or unknown")
    if "statsmodels" in found:
        lines += ["", "ETS searches beside statsmodels", json.dumps(_plain(found["statsmodels"]), indent=1)]
    return "\n".join(lines)


def _plain(value):
    """Return the record for JSON: rounded, what is not a number as null."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return round(float(value), 4) if np.isfinite(value) else None
    return value


def main() -> None:
    """Run the engine and its peers and print the figures."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("file", type=Path)
    asked.add_argument("--limit", type=int)
    asked.add_argument("--json", action="store_true")
    asked.add_argument("--statsmodels", action="store_true")
    asked.add_argument("--fast", dest="models", action="store_const", const="fast", default="best")
    given = asked.parse_args()
    try:
        train, test = read(given.file, given.limit)
        compared = _compared(train) if given.statsmodels else []
    except ValueError as error:
        sys.exit(f"benchmarks.forecast: {error}")
    if any(os.environ.get(name) != value for name, value in steps.SAME_EVERYWHERE.items()):
        command = [sys.executable, "-m", "benchmarks.forecast", *sys.argv[1:]]
        sys.exit(subprocess.run(command, env=os.environ | steps.SAME_EVERYWHERE).returncode)
    warnings.simplefilter("ignore")
    found, rows = benchmark(train, test, models=given.models)
    if compared:
        found["statsmodels"] = beside_statsmodels(train, rows, compared, found["cpu_s_per_1000"])
    print(json.dumps(_plain(found)) if given.json else shown(found))


if __name__ == "__main__":
    main()
