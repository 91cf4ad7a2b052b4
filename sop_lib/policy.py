"""Safety stock of each product from the forecast errors of its lead months, and the target stock of each family.

A product's stock serves no other product, so each has its own; the safety stock of a family is their sum. Errors count
as shares of what was forecast, so that safety stock follows the season. A short history says little: errors of the
family's other products count beside a product's own.
Source: Silver, Pyke and Thomas, *Inventory and Production Management in Supply Chains*, ch. 6 (rules by service).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from sop_lib import inventory, tables
from sop_lib.models import COMBINATION
from sop_lib.settings import Planning
from sop_lib.tables import ALL

__all__ = [
    "RULES", "TO_ORDER", "by_rule", "lead_errors", "lead_months", "monthly", "promises", "safety",
    "safety_stocks", "spread_of", "targets",
]  # fmt: skip

TO_ORDER = ("MTO", "ATO")
LEVELS = ("product", "product-region", "family", "family-region")
LEAST = 6  # origins below which the errors of a product are not its own evidence
LUMPY, GAPS = 0.5, 1.32  # spread as a share of the forecast, and months per month with demand, beyond which: not normal
FLOOR = 0.1  # of the usual forecast, below which an error is no share of it
Z = np.linspace(-8.0, 8.0, 3201)
REACHED = special.ndtr(Z)
LOSS = np.exp(-(Z**2) / 2) / np.sqrt(2 * np.pi) - Z * (1 - REACHED)
RULES = ("fill rate", "cycle service")
NO_STOCK = {"method": "none", "spread": np.nan, "origins": 0, "others": 0, "safety": 0.0}
YEAR = 12


def lead_months(families: pd.DataFrame) -> pd.Series:
    """Return, per family, the months in which supply cannot react: its frozen months and one month of review.

    >>> lead_months(pd.DataFrame({"family": ["A"], "frozen_months": [1.0]})).tolist()
    [2]
    """
    frozen = families.set_index("family")["frozen_months"].astype(float).fillna(0)
    return (frozen + 1).astype(int).rename("lead_months")


def promises(families: pd.DataFrame, names: pd.Index, planning: Planning) -> pd.DataFrame:
    """Return, per family of `names`, its rule, the share promised (0-1) and its lead months.

    The rule is that of the settings, `none` for what is made or assembled to order.
    """
    policy = families.set_index("family").reindex(names)
    made = policy["strategy"].isin(TO_ORDER)
    rule = pd.Series(planning.safety_rule, names).mask(made, "none")
    share = policy["fill_target"].astype(float).fillna(planning.service_level)
    lead = lead_months(families).reindex(names).fillna(1).astype(int)
    return pd.DataFrame({"rule": rule, "promised": share, "lead_months": lead})


def lead_errors(backtest: pd.DataFrame, lead: pd.Series) -> pd.DataFrame:
    """Return, per family, product and origin, forecast and actual summed over the lead months, in units.

    `months` is how many were summed: the lead months, or as many as were backtested; `planned` and `wanted` are
    forecast and actual of the last of them. A product is the sum of its regions; where only families were backtested
    the product is ALL.

    >>> tested = pd.DataFrame({"level": "product", "family": "A", "product": "x", "model": "combination",
    ...     "origin": pd.Timestamp("2026-01-01"), "lag": [1, 2], "forecast": [90.0, 80.0], "actual": [100.0, 90.0]})
    >>> lead_errors(tested, pd.Series({"A": 2}))[["months", "forecast", "actual", "wanted"]].values.tolist()
    [[2.0, 170.0, 190.0, 90.0]]
    """
    keys = ["family", "product", "origin"]
    rows = _finest(backtest).groupby([*keys, "lag"], as_index=False)[["forecast", "actual"]].sum()
    asked = rows["family"].map(lead).fillna(1)
    rows["months"] = np.minimum(asked, rows.groupby(["family", "product"])["lag"].transform("max"))
    rows = rows[rows["lag"] <= rows["months"]]
    last = rows["lag"] == rows["months"]
    rows = rows.assign(planned=rows["forecast"].where(last), wanted=rows["actual"].where(last))
    sums = {name: (name, "sum") for name in ("forecast", "actual", "planned", "wanted")}
    out = rows.groupby(keys, as_index=False).agg(months=("months", "first"), lags=("lag", "size"), **sums)
    return out[out["lags"] == out["months"]].drop(columns="lags").reset_index(drop=True)


def _finest(backtest: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the combination at the level closest to products."""
    models, has = set(backtest["model"]), set(backtest["level"])
    model = COMBINATION if COMBINATION in models else min(models, default=COMBINATION)
    level = next((name for name in LEVELS if name in has), "")
    return backtest[(backtest["model"] == model) & (backtest["level"] == level)]


@dataclass(frozen=True)
class Spread:
    """How far what comes lies above the forecast of the lead months, as shares of that forecast.

    At each stock of `stocks` above the forecast, `short` is the share that is short on average and `reached` how
    often none is; `rmse` is the root mean square of the errors, `origins` the number of a product's own, `others` of
    those of the others of its family.
    """

    method: str
    rmse: float
    origins: int
    others: int
    stocks: np.ndarray
    short: np.ndarray
    reached: np.ndarray

    def asked(self, rule: str, promised: float, months: float) -> float:
        """Return the least stock above the forecast that keeps the promise, as a share of it; never below 0.

        A fill rate counts the units of one of the lead `months`: what is short earlier counted there.
        """
        if rule == "fill rate":
            found = np.interp((1 - promised) / months, self.short[::-1], self.stocks[::-1])
        else:
            found = self.stocks[min(int(np.searchsorted(self.reached, promised - 1e-12)), len(self.stocks) - 1)]
        return max(float(found), 0.0)


def spread_of(own: np.ndarray, others: np.ndarray, gaps: float = 1.0) -> Spread | None:
    """Return the spread of a product from its own relative errors and those of the others of its family.

    Errors are normal, half of the weight on the others, or, where their root mean square passes half of the forecast
    or demand comes only every `gaps` = 1.32 months, taken as they came, each alike: rare ones show in many plans only.
    The mean stays in them: a forecast that is too low asks for more. None where no error is known.

    >>> found = spread_of(np.array([0.1, -0.1] * 3), np.array([0.1, -0.1]))
    >>> found.method, round(found.rmse, 3), round(found.asked("cycle service", 0.95, 2), 2)
    ('normal', 0.1, 0.16)
    """
    mine = own if len(own) >= LEAST or not len(others) else own[:0]
    parts = [part for part in (mine, others) if len(part)]
    if not parts:
        return None
    errors = np.concatenate(parts)
    weight = np.concatenate([np.full(len(part), 1 / len(part) / len(parts)) for part in parts])
    rmse = float(np.sqrt((weight * errors**2).sum()))
    lumpy = rmse > LUMPY or gaps >= GAPS
    method = ("empirical" if lumpy else "normal") if len(mine) else "shared"
    if lumpy:
        return Spread(method, rmse, len(mine), len(others), *_as_they_came(errors))
    return Spread(method, rmse, len(mine), len(others), rmse * Z, rmse * LOSS, REACHED)


def relative(errors: pd.DataFrame) -> pd.Series:
    """Return actual less forecast as a share of the forecast, or of a tenth of the usual one where it is less.

    Blank for a product of which nothing was forecast.
    """
    forecast = errors["forecast"].clip(lower=0)
    usual = forecast.groupby([errors["family"], errors["product"]]).transform("mean")
    base = np.maximum(forecast, FLOOR * usual)
    return (errors["actual"] - errors["forecast"]) / base.where(base > 0)


def _as_they_came(errors: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return, at 0 and each error in rising order, the share short on average above it and how often none is."""
    weight = np.append(np.full(len(errors), 1 / len(errors)), 0.0)
    errors = np.append(errors, 0.0)
    order = np.argsort(errors, kind="stable")
    at, each = errors[order], weight[order]
    above, beyond = each[::-1].cumsum()[::-1], (each * at)[::-1].cumsum()[::-1]
    return at, np.maximum(beyond - at * above, 0.0), each.cumsum()


def safety(rows: pd.DataFrame, errors: pd.DataFrame) -> pd.DataFrame:
    """Return `rows` with method, spread, origins, others and safety in units, and how many months were `tested`.

    `rows` holds family, product, rule, promised, lead_months and `ahead`, the forecast of the lead months in units;
    `errors` are the `lead_errors` known. A rule `none` has no safety stock; method `none` where no error is known.
    Where fewer months were tested than supply needs, their error as a share of the forecast is taken for all of them.
    """
    tested = rows["family"].map(errors.groupby("family")["months"].max())
    rows = rows.assign(tested=tested.fillna(0).clip(upper=rows["lead_months"]))
    known = errors.assign(share=relative(errors), code=pd.factorize(errors["product"])[0]).dropna(subset="share")
    pools = {name: part[["code", "share"]].to_numpy() for name, part in known.groupby("family")}
    own = {key: part for key, part in known.groupby(["family", "product"])}
    found = [rows.iloc[:0].assign(**NO_STOCK)]
    for key, part in rows.groupby(["family", "product"], sort=False):
        mine = own.get(key, known.iloc[:0])
        code, pool = mine["code"].iloc[0] if len(mine) else -1, pools.get(key[0], np.empty((0, 2)))
        sold = max(int((mine["wanted"] > 0).sum()), 1)
        spread = spread_of(mine["share"].to_numpy(), pool[pool[:, 0] != code, 1], len(mine) / sold)
        found.append(_of_product(part, spread))
    return pd.concat(found[1:] or found).loc[rows.index]


def _of_product(part: pd.DataFrame, spread: Spread | None) -> pd.DataFrame:
    rule, promised, months = part[["rule", "promised", "lead_months"]].iloc[0]
    if spread is None or rule == "none":
        return part.assign(**NO_STOCK)
    units = {"spread": spread.rmse * part["ahead"], "safety": spread.asked(rule, promised, months) * part["ahead"]}
    return part.assign(method=spread.method, origins=spread.origins, others=spread.others, **units)


def monthly(
    wanted: pd.DataFrame, families: pd.DataFrame, backtest: pd.DataFrame, planning: Planning, rule: str = ""
) -> pd.DataFrame:
    """Return the safety stock per month, family and product in units, with the rule, promise and spread it is from.

    `wanted` is the planned demand per month, family and product; `rule` replaces the settings' own. What is held
    at the end of a month covers the lead months that end with it; the first month stands for those before the plan.
    """
    names = pd.Index(sorted(wanted["family"].unique()), name="family")
    promised = promises(families, names, planning)
    if rule:
        promised["rule"] = promised["rule"].where(promised["rule"] == "none", rule)
    wide = wanted.pivot_table(index="month", columns=["family", "product"], values="demand", aggfunc="sum")
    wide = wide.fillna(0.0).clip(lower=0)
    lead = promised["lead_months"].reindex(wide.columns.get_level_values("family")).to_numpy()
    before = {m: wide.rolling(m, min_periods=1).mean() * m for m in sorted(set(lead))}
    ahead = pd.DataFrame({c: before[m][c] for c, m in zip(wide, lead, strict=True)}, wide.index)
    rows = wide.unstack().rename("demand").reset_index().merge(promised, on="family", how="left")
    rows["ahead"] = ahead.set_axis(wide.columns, axis=1).unstack().to_numpy()
    return safety(rows, lead_errors(backtest, promised["lead_months"])).drop(columns="ahead")


def targets(demand: pd.DataFrame, held: pd.DataFrame, families: pd.DataFrame) -> pd.DataFrame:
    """Return month, family, safety and target stock in units; `held` is what `monthly` returns.

    Target is the larger of the products' safety stock and the stock that `families.cover_days` asks of `demand`
    (month, family, demand); a family made or assembled to order holds none.
    """
    names = pd.Index(sorted(demand["family"].unique()), name="family")
    policy = families.set_index("family").reindex(names)
    days = policy["cover_days"].astype(float).fillna(0.0).where(~policy["strategy"].isin(TO_ORDER), 0.0)
    sums = held.groupby(["month", "family"], as_index=False)["safety"].sum()
    rows = inventory.cover_stock(demand, days).merge(sums, on=["month", "family"], how="left", validate="one_to_one")
    rows["safety"] = rows["safety"].fillna(0.0)
    rows["target"] = rows[["cover", "safety"]].max(axis=1)
    return rows[["month", "family", "safety", "target"]].sort_values(["month", "family"], ignore_index=True)


def safety_stocks(held: pd.DataFrame, costs: pd.Series) -> pd.DataFrame:
    """Return the rows of `safety_stocks`, without the cycle: a year's mean of what `monthly` returns, and its reason.

    `costs` is money per unit and product; a product without one has no value.
    """
    if held.empty:
        return tables.empty("safety_stocks").drop(columns="cycle")
    soon = held[held["month"] < held["month"].min() + pd.DateOffset(months=YEAR)]
    means = {name: (name, "mean") for name in ("promised", "demand", "spread", "safety")}
    firsts = {name: (name, "first") for name in ("rule", "method", "lead_months", "tested", "origins", "others")}
    ends = {"least": ("safety", "min"), "most": ("safety", "max")}
    rows = soon.groupby(["family", "product"], as_index=False).agg(**means, **firsts, **ends)
    rows["value"] = rows["safety"] * rows["product"].map(costs)
    rows["finding"] = [_reason(row) for row in rows.itertuples()]
    names = [name for name in tables.table("safety_stocks").names if name != "cycle"]
    return rows[names].sort_values("product", ignore_index=True)


def _reason(row) -> str:
    """Return why a product has the safety stock it has."""
    if row.rule == "none":
        return "Made or assembled to order: no stock stands against error."
    if row.demand <= 0:
        return "Nothing is planned in the next twelve months: none."
    if row.method == "none":
        return "No forecast of its family was tested: no error is known, and no safety stock follows. Set cover_days."
    many, come = (f"{row.lead_months:.0f} months of", "come") if row.lead_months != 1 else ("One month of", "comes")
    few = f", measured over {row.tested:.0f} and taken in proportion" if row.tested < row.lead_months else ""
    told = f"{many} forecast error {come} to ±{_units(row.spread)} ({_evidence(row)}{few}); "
    aim = "units served from stock" if row.rule == "fill rate" else "months without a shortage"
    told = f"{told}{100 * row.promised:.4g} % of {aim}"
    if row.most <= 0:
        return f"{told} needs none: the forecast alone keeps it."
    season = f" ({_units(row.least)} to {_units(row.most)} by season)" if row.most > row.least + 1 else ""
    return f"{told} asks for {_units(row.safety)}{season}."


def _units(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _evidence(row) -> str:
    if row.method == "shared":
        return f"too few plans of its own were tested: the errors of {row.family}"
    lumpy, plans = row.method == "empirical", f"{row.origins:.0f} plan{'s' if row.origins != 1 else ''}"
    others = f", {'and those of' if lumpy else 'half the weight on'} the others of {row.family}" if row.others else ""
    return f"{'lumpy errors as they came' if lumpy else 'root mean square'}; {plans}{others}"


def by_rule(stocks: dict[str, pd.DataFrame], used: str, replayed: pd.DataFrame) -> pd.DataFrame:
    """Return, per family and for ALL, what is promised and was achieved, safety stock by each rule, and its value.

    `stocks` holds `safety_stocks` by rule, `used` is the rule of the plan: its value counts, in money.
    """
    units = {rule: table.groupby("family")["safety"].sum() for rule, table in stocks.items()}
    own = stocks[used][stocks[used]["rule"] != "none"]
    weight = own["demand"] if own["demand"].sum() > 0 else own["demand"] + 1
    promised = (own["promised"] * weight).sum() / weight.sum() if len(own) else np.nan
    plan = own.groupby("family")
    rows = pd.DataFrame(units | {"value": plan["value"].sum(min_count=1)}).reindex(list(plan.groups))
    whole = rows.sum(min_count=1).to_frame(ALL).T.assign(promised=promised) if len(rows) else rows
    rows = pd.concat([rows.assign(promised=plan["promised"].first()), whole]).rename_axis("family").reset_index()
    rows = rows.merge(replayed[["family", "achieved"]], on="family", how="left", validate="one_to_one")
    return rows[["family", "promised", "achieved", *units, "value"]]
