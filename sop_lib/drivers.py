"""What moves demand from outside: working days and the company's drivers, kept only where they lower the error.

The effect of a driver is found by regression: the logarithm of a family's demand by month of the year, a bending trend
and the driver. Families have an effect of their own, drawn to the mean of all as far as they do not differ by more than
chance (random effects, DerSimonian and Laird, 1986). A driver is tried at rolling origins: its effect and the forecasts
are of what was known then. Only what drivers before it did is taken out as learned from all closed months.
What is used divides history before the engine and multiplies its forecasts, month by month.
"""

import numpy as np
import pandas as pd

from sop_lib import months
from sop_lib.breaks import counted, month_words, some
from sop_lib.tables import ALL

__all__ = ["WORKING_DAYS", "driver_review", "factors", "headline", "known_values", "used"]

WORKING_DAYS = "working days"
REVIEW = ["driver", "family", "effect", "low", "high", "wape_without", "wape_with", "gain", "explains"]
REVIEW += ["origins", "usable", "kept", "why"]
YEAR, BEND, LATELY, WINDOW = 12, 24, 6, 48  # months
MONTHS_NEEDED, ORIGINS, FEWEST_ORIGINS, LAGS, LEAST = 30, 24, 6, 12, 0.01
NORMAL95 = 1.96


def known_values(drivers: pd.DataFrame, calendar: pd.DataFrame, span: pd.DatetimeIndex) -> pd.DataFrame:
    """Return month, driver, value and known_on: the drivers, the mean of their regions, and working days of a span.

    Working days are the company's driver of that name, else the calendar's (`ALL`), else Mondays to Fridays; the last
    two are always known. The mean is blank in months that a region of the driver lacks. A value is known on its latest
    date; without a date nobody knows when.
    """
    own = calendar[calendar["plant"] == ALL].set_index("month")["working_days"]
    days = own[own.index.isin(span)] if len(own) else months.working_days(span)
    known = pd.DataFrame({"month": days.index, "driver": WORKING_DAYS, "value": days.to_numpy(dtype=float)})
    given = (
        drivers.groupby(["month", "driver"], as_index=False)
        .agg(
            value=("value", "mean"), known_on=("known_on", lambda dates: dates.max(skipna=False)), n=("value", "count")
        )
        .astype({"known_on": "datetime64[ns]"})
    )
    regions = given["driver"].map(drivers.groupby("driver")["region"].nunique())
    given = given.assign(value=given["value"].where(given["n"] == regions)).drop(columns="n")
    computed = known.assign(known_on=pd.Timestamp("1900-01-01").as_unit("ns"))
    parts = [computed[~computed["driver"].isin(given["driver"])], given]
    out = pd.concat([part for part in parts if len(part)], ignore_index=True)
    order = out.assign(_own=out["driver"] != WORKING_DAYS).sort_values(["_own", "driver", "month"], kind="stable")
    return order.drop(columns="_own").reset_index(drop=True)


def driver_review(
    sold: pd.DataFrame, values: pd.DataFrame, cycle: pd.Timestamp, horizon: pd.DatetimeIndex
) -> pd.DataFrame:
    """Return per driver and family, and ALL together, its effect, what it does to the error, and whether it is kept.

    `effect` is the rate of demand per unit of the driver, `low` and `high` its 95 % interval. `wape_without` and
    `wape_with` are of forecasts 1 to 12 months ahead at up to 24 origins, with the values that were known then, as far
    ahead as they reach now; `gain` is the share of the error that is gone, `explains` the same had all values been
    known. Usable: a value of the horizon is known before the cycle. Kept in a family: when the error falls by 1 % in
    both halves of the origins and the interval leaves out zero; or when it so falls over all families, and falls here
    too. The next driver is tried on what is left by those kept, whose effects are of all closed months. Months from the
    cycle on are not looked at.
    """
    demand = sold[sold["month"] < cycle].pivot_table(index="month", columns="family", values="cleansed", aggfunc="sum")
    demand = demand.asfreq("MS").iloc[-(MONTHS_NEEDED + ORIGINS + LAGS + YEAR) :]
    left_out = [family for family in demand if not (demand[family] > 0).all()]
    demand = demand.drop(columns=left_out)
    found: list[pd.DataFrame] = []
    for name in values["driver"].unique():
        given = values[values["driver"] == name].set_index("month")[["value", "known_on"]].dropna(subset="value")
        review = _tried(str(name), demand, given, cycle, horizon)
        without = pd.DataFrame({"driver": name, "family": left_out, "why": "not tried: it has months without demand"})
        found.append(pd.concat([review, without.assign(usable=False, kept=False)], ignore_index=True))
        lift = factors(review, values, cycle, pd.DatetimeIndex(demand.index))
        demand = demand / lift.pivot(index="month", columns="family", values="factor").reindex(columns=demand.columns)
    out = pd.concat(found, ignore_index=True)[REVIEW]
    return out.astype({"usable": "bool", "kept": "bool", "origins": "float64"})


def _tried(
    name: str, demand: pd.DataFrame, given: pd.DataFrame, cycle: pd.Timestamp, horizon: pd.DatetimeIndex
) -> pd.DataFrame:
    """Return the rows of one driver."""
    families = [*demand.columns, ALL]
    out = pd.DataFrame({"driver": name, "family": families, "usable": False, "kept": False}).reindex(columns=REVIEW)
    ahead = given.index[(given["known_on"] < cycle) & given.index.isin(horizon)]
    out = out.assign(usable=len(ahead) > 0, kept=False)
    there = demand.loc[demand.index >= given.index.min()]
    there = there[there.index <= min(given.index.max(), cycle)]
    gone = there.index.difference(given.index)
    if len(gone):
        return out.assign(usable=False, why=f"no value for {some([month_words(m) for m in gone])}: give every month")
    if len(there) < MONTHS_NEEDED + FEWEST_ORIGINS or there.columns.empty:
        return out.assign(why=f"{counted(len(there), 'month')} of demand and driver, "
                          f"{MONTHS_NEEDED + FEWEST_ORIGINS} are needed")  # fmt: skip
    x, known_on = given["value"].reindex(there.index).to_numpy(), given["known_on"].reindex(there.index)
    if np.ptp(x - _usual(x, there.index, np.full(len(x), True))) < 1e-9:
        return out.assign(why="it never differs from what is usual in the month: nothing can be told")
    every = np.full(len(x), True)
    effect, spread, mean = _effects(np.log(there.to_numpy()), x, there.index, every)
    effect, spread = np.append(effect, mean[0]), np.append(spread, mean[1])
    out = out.assign(effect=np.expm1(effect), low=np.expm1(effect - NORMAL95 * spread))
    out = out.assign(high=np.expm1(effect + NORMAL95 * spread))
    reach = len(ahead) and int(horizon.get_indexer([ahead.max()])[0]) + 1
    return _judged(out, _errors(there, x, known_on, reach), given, cycle, horizon)


def _usual(x: np.ndarray, span: pd.DatetimeIndex, seen: np.ndarray) -> np.ndarray:
    """Return for each month what the driver usually is in that month of the year, by the months seen."""
    usual = pd.Series(x[seen]).groupby(span.month[seen]).mean()
    return usual.reindex(span.month).fillna(x[seen].mean()).to_numpy()


def _effects(
    logs: np.ndarray, x: np.ndarray, span: pd.DatetimeIndex, seen: np.ndarray
) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    """Return each family's effect on the logarithm of demand per unit, its standard error, and the mean's of both."""
    place, (y, x) = np.arange(len(x)), (logs[seen], x[seen])
    bends = [np.maximum(0, place - at) / YEAR for at in range(BEND, len(place) - YEAR + 1, BEND)]
    terms = np.column_stack([np.eye(12)[span.month - 1], place / YEAR, *bends])[seen]
    flat = np.eye(len(x)) - terms @ np.linalg.pinv(terms)
    y, x = flat @ y, flat @ x
    squares = max(float(x @ x), 1e-12)
    own = x @ y / squares
    left = len(x) - np.linalg.matrix_rank(terms) - 1
    variance = np.maximum(((y - np.outer(x, own)) ** 2).sum(axis=0) / max(left, 1) / squares, 1e-12)
    return _drawn(own, variance)


def _drawn(own: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    """Return effects drawn to their mean as far as they differ by chance, their standard errors, and mean and its own.

    >>> effects, errors, mean = _drawn(np.array([0.02, 0.04]), np.array([0.0004, 0.0004]))
    >>> effects.round(3).tolist(), errors.round(4).tolist()
    ([0.03, 0.03], [0.0141, 0.0141])
    """
    weight = 1 / variance
    mean = (weight * own).sum() / weight.sum()
    excess = (weight * (own - mean) ** 2).sum() - (len(own) - 1)
    among = excess / (weight.sum() - (weight**2).sum() / weight.sum()) if len(own) > 1 else 1.0
    if among <= 0:
        error = np.sqrt(1 / weight.sum())
        return np.full(len(own), mean), np.full(len(own), error), (mean, error)
    weight = 1 / (variance + among)
    mean, error = (weight * own).sum() / weight.sum(), np.sqrt(1 / weight.sum())
    drawn = variance / (variance + among)
    return (1 - drawn) * own + drawn * mean, np.sqrt((1 - drawn) * variance + (drawn * error) ** 2), (mean, error)


def _errors(demand: pd.DataFrame, x: np.ndarray, known_on: pd.Series, reach: int) -> pd.DataFrame:
    """Return absolute error without, with and had all been known, and volume, per origin and family, in units.

    `reach` is how many months ahead values are given now: no origin sees further.
    """
    units, span, found = demand.to_numpy(), pd.DatetimeIndex(demand.index), []
    logs, none = np.log(units), np.zeros(units.shape)
    for known in range(max(MONTHS_NEEDED, len(units) - ORIGINS), len(units)):
        ahead = slice(known, min(known + LAGS, len(units)))
        forms = {"without": none}
        then = (known_on < span[known]).to_numpy() & (np.arange(len(x)) < known + reach)
        for form, seen in (("with", then), ("explained", np.full(len(x), True))):
            forms[form] = _moves(logs[:known], x, span, seen) if seen[:known].sum() >= BEND else none
        said = {form: _carried_on(logs[:known] - m[:known], span, ahead) + m[ahead] for form, m in forms.items()}
        sums = {form: np.abs(np.exp(s) - units[ahead]).sum(axis=0) for form, s in said.items()}
        found.append(pd.DataFrame({**sums, "volume": units[ahead].sum(axis=0), "family": demand.columns}))
        found[-1]["origin"] = span[known - 1]
    return pd.concat(found, ignore_index=True)


def _moves(logs: np.ndarray, x: np.ndarray, span: pd.DatetimeIndex, seen: np.ndarray) -> np.ndarray:
    """Return what a driver does to the logarithm of each month, month × family, by the months known (those of `logs`).

    Months whose value is not seen move as `_held` says.
    """
    known = len(logs)
    effect, *_ = _effects(logs, x[:known], span[:known], seen[:known])
    past = seen & (np.arange(len(x)) < known)
    return np.outer(_held(np.where(seen, x - _usual(x, span, past), np.nan)), effect)


def _held(more: np.ndarray) -> np.ndarray:
    """Return by how much a driver is more than usual: where unknown, the mean of its last year of values.

    Before its first value it is the mean of its first year, so that a trend makes no step where values begin or end.

    >>> _held(np.array([np.nan, 1, 3, np.nan])).tolist()
    [2.0, 1.0, 3.0, 2.0]
    """
    there = np.flatnonzero(~np.isnan(more))
    out = np.where(np.isnan(more), more[there[-YEAR:]].mean(), more)
    out[: there[0]] = more[there[:YEAR]].mean()
    return out


def _carried_on(logs: np.ndarray, span: pd.DatetimeIndex, ahead: slice) -> np.ndarray:
    """Return season and straight trend of the last four years, from the level of the last six months, carried on."""
    since = max(0, len(logs) - WINDOW)
    terms = np.column_stack([np.eye(12)[span.month - 1], np.arange(len(span)) / YEAR])
    fit = np.linalg.pinv(terms[since : len(logs)]) @ logs[since:]
    left = logs[since:] - terms[since : len(logs)] @ fit
    return terms[ahead] @ fit + left[-LATELY:].mean(axis=0)


def _judged(
    out: pd.DataFrame, errors: pd.DataFrame, given: pd.DataFrame, cycle: pd.Timestamp, horizon: pd.DatetimeIndex
) -> pd.DataFrame:
    """Return the rows of a driver with its errors, whether it is kept, and why."""
    both = pd.concat([errors, errors.assign(family=ALL)], ignore_index=True)
    late = both["origin"] > errors["origin"].sort_values().iloc[len(errors) // 2 - 1]
    names = ["without", "with", "explained", "volume"]
    sums = both.groupby("family")[names].sum().reindex(out["family"])
    halves = [part.groupby("family")[names].sum().reindex(out["family"]) for part in (both[~late], both[late])]
    wins = np.logical_and.reduce([(1 - half["with"] / half["without"]) >= LEAST for half in halves])
    out = out.assign(
        **{f"wape_{form}": (sums[form] / sums["volume"]).to_numpy() for form in ("without", "with")},
        gain=(1 - sums["with"] / sums["without"]).to_numpy(),
        explains=(1 - sums["explained"] / sums["without"]).to_numpy(),
        origins=errors["origin"].nunique(),
    )
    sure = (out["low"] > 0) | (out["high"] < 0)
    own, together = wins & sure, bool(wins[-1] & sure.iloc[-1]) & (out["gain"] > 0)
    out["kept"] = out["usable"] & (own | together)
    return out.assign(why=_why(out, own, given, cycle, horizon))


def _why(
    out: pd.DataFrame, own: pd.Series, given: pd.DataFrame, cycle: pd.Timestamp, horizon: pd.DatetimeIndex
) -> np.ndarray:
    """Return in words why a driver is kept or not, per family."""
    known = given.index[(given["known_on"] < cycle) | (given.index < cycle)]
    lacking = horizon.difference(known)
    from_there = f"{month_words(lacking[0])} on" if len(lacking) else ""
    until = f"; its values for {from_there} are not given: there it stays at the mean of its last twelve" * bool(
        from_there
    )
    helps = "known, they would take {:.1%} off the error".format
    told = [helps(gain) if gain > 0 else "known, they would not help either" for gain in out["explains"]]
    unusable = [f"not usable: its values for {month_words(cycle)} on are not given; {words}" for words in told]
    cases = {
        f"kept: the error falls in both halves of the origins{until}": own,
        f"kept: the error falls over all families, and here{until}": out["kept"],
        "not used: the error does not fall": out["gain"] <= 0,
    }
    other = f"not used: the error does not fall by {LEAST:.0%} in both halves of the origins, beyond doubt"
    return np.where(out["usable"], np.select(list(cases.values()), list(cases), other), unusable)


def factors(review: pd.DataFrame, values: pd.DataFrame, cycle: pd.Timestamp, span: pd.DatetimeIndex) -> pd.DataFrame:
    """Return month, family and factor: how the drivers kept move each month, exactly 1 where none is kept.

    The factor of a month with d units of the driver more than usual in that month of the year is (1 + effect)^d; usual
    is the mean of the closed months. Where its value is unknown, d is the mean of its last twelve values (before the
    first: of the first twelve). Series above the families (ALL) take the mean effect.
    """
    families = pd.Index(review["family"].unique(), name="family")
    total = pd.DataFrame(1.0, index=span.rename("month"), columns=families)
    for row in review[review["kept"]].itertuples():
        own = values[(values["driver"] == row.driver) & values["value"].notna()]
        own = own[(own["known_on"] < cycle) | (own["month"] < cycle)]
        past = own[own["month"] < cycle]
        usual = past.groupby(past["month"].dt.month)["value"].mean()
        more = own.set_index("month")["value"] - own["month"].dt.month.map(usual).to_numpy()
        more = more.reindex(span.union(pd.DatetimeIndex(more.index)))
        total[row.family] *= pd.Series((1 + row.effect) ** _held(more.to_numpy()), index=more.index).reindex(span)
    return total.reset_index().melt("month", var_name="family", value_name="factor")


def used(
    sold: pd.DataFrame, values: pd.DataFrame, cycle: pd.Timestamp, horizon: pd.DatetimeIndex, tested: pd.Timestamp
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the review and month, family, `factor`, `tested` for all months of `sold` and of the horizon.

    `factor` is what is used now. `tested` is what would have been used in the cycle `tested`, the first of the
    backtest, by the review of then: so that no forecast is judged on months that its effect was learned from.
    """
    span = pd.date_range(sold["month"].min(), horizon[-1], freq="MS", unit="ns", name="month")
    now = driver_review(sold, values, cycle, horizon)
    then = driver_review(sold, values, tested, months.month_range(tested, len(horizon)))
    both = factors(now, values, cycle, span).merge(
        factors(then, values, tested, span).rename(columns={"factor": "tested"}),
        on=["month", "family"], how="outer", validate="one_to_one",
    )  # fmt: skip
    return now, both.fillna(1.0)


def headline(review: pd.DataFrame) -> list[str]:
    """Return in a sentence per driver whether it is used, for how many families, and what it is worth.

    >>> row = {"driver": "rain", "family": ["F", "ALL"], "effect": 0.02, "gain": 0.1, "kept": True, "why": ""}
    >>> headline(pd.DataFrame(row))
    ['Rain: used for 1 of 1 families; one unit more moves demand by +2.0 %; the error falls by 10.0 % over all.']
    """
    said = []
    for name, rows in review.groupby("driver", sort=False):
        whole, own = rows[rows["family"] == ALL].iloc[0], rows[rows["family"] != ALL]
        if own["kept"].any():
            low, high = (f"{own.loc[own['kept'], 'effect'].agg(end) * 100:+.1f}" for end in ("min", "max"))
            moves = f"{low} %" if low == high else f"{low} to {high} %"
            fall = f"the error falls by {whole['gain'] * 100:.1f} % over all"
            families = f"used for {own['kept'].sum()} of {len(own)} families"
            said.append(f"{_named(name)}: {families}; one unit more moves demand by {moves}; {fall}.")
        else:
            said.append(
                f"{_named(name)}: not used; {whole['why'].removeprefix('not used: ').removeprefix('not usable: ')}."
            )
    return said


def _named(driver: str) -> str:
    return driver[:1].upper() + driver[1:]
