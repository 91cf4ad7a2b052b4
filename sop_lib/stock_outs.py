"""Months in which a product was out of stock, and the demand that its sales therefore hide."""

import numpy as np
import pandas as pd

from sop_lib import history, tables
from sop_lib.breaks import counted, some

__all__ = ["sentence", "stock_outs", "summary"]

LOW_STOCK, LOW_SALES = 0.05, 0.9
REGULAR, SELDOM_LOW, MONTHS_NEEDED = 0.75, 0.25, 24
PHASE_OUT = pd.DateOffset(months=6)
SILENT = 4
NEAR = 24.0  # months away at which a month counts a third
SEASON_PRIOR = (0.5, 2.0, 8.0, 32.0, 128.0)  # months that speak for the family's season
COLUMNS = ["month", "product", "region", "family", "stock", "raw", "expected", "quantity"]


def stock_outs(
    panel: pd.DataFrame, inventory: pd.DataFrame, products: pd.DataFrame, events: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return the months × products × regions whose demand was cut by lack of stock, with the units hidden.

    A product was out of stock when at month end a twentieth or less was on hand of what the next month usually
    needs, and over the run of such months it sold less than nine tenths of what was to be expected. Expected is
    what the rest of its family sold in that month, times the product's own share in months with stock: the season
    of that share, and near months more than distant ones. Past one-off orders in `events` are taken out before, and
    products of the family with an event of their own in such a month speak for nobody. `stock`, `raw` and `expected`
    are the region's part;
    `quantity` is expected minus sold, more than 0, in regions by the product's share of the 12 months before.
    Nothing is claimed of products that sell now and then, are often without stock, end within 6 months, or have
    less than 24 months with stock, nor after a product's last sale once it was silent for 4 months; nor without
    `inventory`.
    """
    if inventory.empty:
        return pd.DataFrame(columns=COLUMNS)
    given = events if events is not None else tables.empty("events")
    regular = _without_one_offs(panel, given)
    sold = regular.pivot_table(index="month", columns="product", values="cleansed", aggfunc="sum")
    family = panel.drop_duplicates("product").set_index("product")["family"]
    stock = _stock(inventory, sold)
    low = _low(stock, sold, panel, products)
    unfit = low | _in_events(sold, given)
    found = [_of_product(p, sold, low[p], unfit, family) for p in low.columns[low.any()]]
    rows = pd.concat([f for f in found if len(f)] or [pd.DataFrame(columns=["month", "product", "hidden"])])
    return _in_regions(rows, stock, panel)


def _without_one_offs(panel: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    """Return the panel with past one-off orders taken out of `cleansed`, no more than is there."""
    key = ["month", "product", "region"]
    once = history.one_offs(panel[[*key, "family"]].assign(quantity=panel["cleansed"]), events)
    taken = panel[key].join(once.groupby(key)["quantity"].sum().astype("float64"), on=key)["quantity"]
    return panel.assign(cleansed=(panel["cleansed"] - taken.fillna(0.0)).clip(lower=0.0))


def _in_events(sold: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    """Return where a product has an event of its own: a promotion, or a one-off order of unknown size."""
    sized = events["kind"].eq("one_off") & events[["uplift_rate", "uplift_units"]].notna().any(axis=1)
    own = events.loc[events["product"].isin(sold.columns) & ~sized, ["product", "from_month", "to_month"]]
    hit = own.merge(pd.DataFrame({"month": sold.index}), how="cross")
    hit = hit[hit["month"].between(hit["from_month"], hit["to_month"])]
    there = pd.crosstab(hit["month"], hit["product"]) if len(hit) else pd.DataFrame()
    return there.reindex(index=sold.index, columns=sold.columns).gt(0)


def _stock(inventory: pd.DataFrame, sold: pd.DataFrame) -> pd.DataFrame:
    """Return stock per month and product over all locations; an absent row is 0 once the product was counted."""
    wide = inventory.pivot_table(index="month", columns="product", values="on_hand", aggfunc="sum")
    known = wide.notna().cummax()
    return wide.fillna(0.0).where(known).reindex(index=sold.index, columns=sold.columns)


def _low(stock: pd.DataFrame, sold: pd.DataFrame, panel: pd.DataFrame, products: pd.DataFrame) -> pd.DataFrame:
    """Return where stock was near zero or deep below what the coming month usually needs, of products it tells of."""
    usual = sold.groupby(pd.DatetimeIndex(sold.index).month).median()
    need = usual.reindex(pd.DatetimeIndex(sold.index + pd.offsets.MonthBegin(1)).month).set_axis(sold.index)
    low = (stock <= LOW_STOCK * need) & need.gt(0)
    now = sold.iloc[-SILENT:].gt(0).any()  # whoever sold in the last months may sell again
    selling = (sold.gt(0)[::-1].cummax()[::-1] | now) & sold.gt(0).cummax()
    ends = pd.to_datetime(products.set_index("product")["end_month"]).reindex(sold.columns)
    ending = np.asarray(sold.index)[:, None] >= (ends - PHASE_OUT).to_numpy()[None, :]
    missing = panel.loc[panel["status"].eq("missing"), "month"].unique()
    regular = (sold.gt(0).sum() / sold.notna().sum() >= REGULAR) & (low.sum() <= SELDOM_LOW * stock.notna().sum())
    return low & selling & ~ending & regular & ~sold.index.isin(missing)[:, None]


def _of_product(
    product: str, sold: pd.DataFrame, out: pd.Series, unfit: pd.DataFrame, family: pd.Series
) -> pd.DataFrame:
    """Return the months of one product that sold less than expected with no stock left, and what that hid."""
    own = sold[product].dropna()
    others = sold.loc[own.index, family.index[family.eq(family[product]) & (family.index != product)]]
    others = others.loc[:, others.gt(0).all() & ~unfit.loc[out, others.columns].any()]
    rest = others.sum(axis=1) if others.shape[1] else pd.Series(1.0, own.index)
    out = out.reindex(own.index)
    if (~out & own.gt(0)).sum() < MONTHS_NEEDED:
        return pd.DataFrame()
    expected = rest * _share(own / rest, out)
    run = (~out).cumsum().where(out)
    total, due = own.groupby(run).sum(), expected.groupby(run).sum()
    cut = run.isin(total.index[total < LOW_SALES * due]) & (own < expected)
    return pd.DataFrame({"month": own.index[cut], "product": product, "hidden": (expected - own)[cut].to_numpy()})


def _share(ratio: pd.Series, out: pd.Series) -> np.ndarray:
    """Return the share to expect in each month, learned from the months with stock.

    Log share is a level and a season, by weighted least squares; how far the season may leave the family's is
    chosen by what predicts a month left out best (ridge regression, exact leave-one-out error).
    """
    known, at = (~out & ratio.gt(0)).to_numpy(), np.arange(len(ratio))
    weight = known * np.exp(-np.abs(at - at[out].mean()) / NEAR)
    log = np.log(ratio.where(known, 1.0).to_numpy())
    terms = np.column_stack([np.ones(len(at)), np.eye(12)[pd.DatetimeIndex(ratio.index).month - 1]])
    best, error = np.zeros(13), np.inf
    for prior in SEASON_PRIOR:
        inverse = np.linalg.inv((terms.T * weight) @ terms + np.diag([0.0] + [prior] * 12))
        fit = inverse @ (terms.T * weight) @ log
        pull = weight * np.einsum("ij,jk,ik->i", terms, inverse, terms)
        left_out = float((weight * ((log - terms @ fit) / (1 - pull)) ** 2).sum())
        best, error = (fit, left_out) if left_out < error else (best, error)
    smear = np.average(np.exp(log - terms @ best), weights=weight)
    return np.exp(terms @ best) * smear


def _in_regions(rows: pd.DataFrame, stock: pd.DataFrame, panel: pd.DataFrame) -> pd.DataFrame:
    """Return the hidden units of each product and month in its regions, by their share of the 12 months before."""
    cells = panel[["month", "product", "region", "family", "cleansed"]]
    cells = cells.sort_values(["product", "region", "month"])
    before = cells.groupby(["product", "region"])["cleansed"].transform(lambda s: s.shift(1).rolling(12, 1).sum())
    cells = cells.assign(before=before.fillna(0.0))
    out = cells.merge(rows, on=["month", "product"], how="inner", validate="many_to_one")
    each = out.groupby(["month", "product"])["before"]
    share = (out["before"] / each.transform("sum").where(lambda total: total > 0)).fillna(1 / each.transform("size"))
    held = stock.stack().rename("stock").reset_index()
    out = out.merge(held, on=["month", "product"], how="left", validate="many_to_one").rename(
        columns={"cleansed": "raw"}
    )
    out["quantity"] = share * out["hidden"].astype("float64")
    out["expected"], out["stock"] = out["raw"] + out["quantity"], out["stock"] * share
    return out.loc[out["quantity"] > 0, COLUMNS].sort_values(["month", "product", "region"], ignore_index=True)


def summary(outs: pd.DataFrame, prices: pd.DataFrame) -> pd.DataFrame:
    """Return per product and run of months without stock what sold, what was to be expected, and the money hidden."""
    rows = outs.groupby(["product", "month"], as_index=False)[["stock", "raw", "expected", "quantity"]].sum()
    gap = rows.groupby("product")["month"].diff() > pd.Timedelta(days=31)
    rows = rows.assign(run=gap.cumsum()).merge(prices, on="product", how="left", validate="many_to_one")
    rows["money"] = rows["quantity"] * rows["price"].astype("float64")
    out = rows.groupby(["product", "run"], as_index=False).agg(
        from_month=("month", "min"), to_month=("month", "max"), sold=("raw", "sum"), expected=("expected", "sum"),
        hidden=("quantity", "sum"), money=("money", lambda m: m.sum(min_count=1)),
    )  # fmt: skip
    order = out.sort_values(["hidden", "product", "run"], ascending=[False, True, True], ignore_index=True)
    return order.drop(columns="run")


def sentence(found: pd.DataFrame, counted_stock: bool, currency: str) -> str:
    """Return how much demand was hidden by lack of stock, in units and money, and where most.

    >>> sentence(pd.DataFrame(), False, "EUR")
    'Without month-end stock nobody can tell which sales were cut by lack of it.'
    """
    if not counted_stock:
        return "Without month-end stock nobody can tell which sales were cut by lack of it."
    if found.empty:
        return "No month was found in which lack of stock cut demand."
    worth = f" worth {currency} {found['money'].sum():,.0f}" if found["money"].notna().any() else ""
    runs = some([f"{r.product} {r.from_month:%b %y}" for r in found.itertuples()])
    return f"Lack of stock hid {found['hidden'].sum():,.0f} units{worth} in {counted(len(found), 'stock-out')}: {runs}."
