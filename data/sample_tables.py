"""The input tables of Alder Outdoor, made from its facts and from its 72 months at work."""

import numpy as np
import pandas as pd
from sample_facts import (
    BUDGET_WISH,
    CLOSED,
    CONTROL_SLIP,
    DCS,
    FAM,
    FAMILIES,
    FUTURE,
    LEDGER_SLIP,
    LIFE,
    MONTHS,
    PAST,
    PRODUCTS,
    REGIONS,
    RESOURCES,
    SEASON,
    SUBCONTRACT,
    SUCCESSOR,
    P,
    R,
)
from sample_world import at, capacity, levelled_plan, pick, unexplained, whole, working_days


def dates(months) -> list[str]:
    """Return months as they stand in the files."""
    return list(pd.DatetimeIndex(months).strftime("%Y-%m-%d"))


def grid(months, second, third=None) -> pd.DataFrame:
    """Return every combination of months, products or families, and regions, in that order."""
    levels = {"month": dates(months), ("product" if len(second) == P else "family"): list(second)}
    if third is not None:
        levels["region"] = list(third)
    return pd.MultiIndex.from_product(levels.values(), names=levels.keys()).to_frame(index=False)


def by_family(values: np.ndarray) -> np.ndarray:
    """Return product values summed to families, along the second axis."""
    return np.stack([values[:, pick(f)].sum(axis=1) for f in SEASON], axis=1)


def money() -> tuple[np.ndarray, np.ndarray]:
    """Return price and cost per month and product: a list raised each January, steel dearer in 2022."""
    steps = 1 + 0.02 * (MONTHS.year - 2026)
    price = np.round(steps.to_numpy()[:, None] * PRODUCTS["price"].to_numpy(), 2)
    dearer = np.where((MONTHS >= "2022-03-01") & (MONTHS < "2023-03-01"), 1.05, 1.0)
    return price, np.round(price * dearer[:, None] * FAM["cost_rate"].to_numpy(), 2)


def products() -> pd.DataFrame:
    """Return the product list with launch, end and successor."""
    price, cost = money()
    months = {c: [f"{m}-01" if m else "" for m in LIFE.get(c, ("", ""))] for c in PRODUCTS["product"]}
    return PRODUCTS[["product", "family", "description"]].assign(
        unit_cost=cost[at("2026-10")],
        unit_price=price[at("2026-10")],
        launch_month=[months[c][0] for c in PRODUCTS["product"]],
        end_month=[months[c][1] for c in PRODUCTS["product"]],
        successor=PRODUCTS["product"].map(SUCCESSOR),
    )


def sales(log: dict) -> pd.DataFrame:
    """Return orders and shipments with their money; a month without either has no row."""
    price, cost = money()
    out = grid(CLOSED, PRODUCTS["product"], REGIONS)
    out = out.assign(ordered=log["ordered"].ravel(), shipped=log["shipped"].ravel())
    out["revenue"] = (log["shipped"] * price[:PAST, :, None]).round(2).ravel()
    out["cost"] = (log["shipped"] * cost[:PAST, :, None]).round(2).ravel()
    return out[(out["ordered"] != 0) | (out["shipped"] != 0)]


def family_price() -> np.ndarray:
    """Return the mean list price per family, products weighted."""
    worth = by_family((PRODUCTS["price"] * PRODUCTS["weight"]).to_numpy()[None])[0]
    return worth / by_family(PRODUCTS["weight"].to_numpy()[None])[0]


def families() -> pd.DataFrame:
    """Return how each family is planned; a lost sale costs the price and a tenth of goodwill."""
    price = family_price()
    out = FAMILIES[["family", "owner", "tolerance"]].assign(unit="piece", strategy="MTS", fill_target=0.95)
    out["cover_days"] = np.where(out["family"] == "Spares", 60, 30)
    out["frozen_months"], out["slushy_months"] = 1, 2
    out["holding_cost"] = np.round(price * FAMILIES["cost_rate"] * 0.018, 2)
    out["backlog_cost"] = np.round(price * FAMILIES["late_rate"], 2)
    out["lost_sale_cost"] = np.round(price * 1.1, 2)
    order = "family unit strategy owner fill_target cover_days tolerance frozen_months slushy_months"
    return out[[*order.split(), "holding_cost", "backlog_cost", "lost_sale_cost"]]


def by_centre(values: np.ndarray) -> np.ndarray:
    """Return whole product values split over the two distribution centres, along a new last axis."""
    return np.stack([values * 51 // 100, values - values * 51 // 100], axis=-1)


def centre_grid() -> pd.DataFrame:
    """Return every closed month, product and distribution centre."""
    return grid(CLOSED, PRODUCTS["product"]).merge(pd.DataFrame({"location": list(DCS)}), how="cross")


def inventory(log: dict) -> pd.DataFrame:
    """Return month-end stock of the two distribution centres; some of it blocked by quality control."""
    blocked = np.where((np.arange(PAST) % 5 == 0)[:, None] & (np.arange(P) % 7 == 3), log["on_hand"] // 60, 0)
    blocked = np.stack([blocked, 0 * blocked], axis=-1)
    return centre_grid().assign(on_hand=by_centre(log["on_hand"]).ravel(), blocked=blocked.ravel())


def transfers(log: dict) -> np.ndarray:
    """Return what moved between the centres: with it each one's stock rolls forward, and the two sum to nothing."""
    served = [[list(REGIONS).index(r) for r in regions] for regions in DCS.values()]
    sent = np.stack([log["shipped"][:, :, who].sum(axis=2) for who in served], axis=-1)
    gone = np.array([unexplained(t) for t in range(PAST)])
    came = sum(by_centre(log[name]) for name in ("made", "subcontracted", "adjusted"))
    came[:, :, 1] += gone
    opening = log["on_hand"][0] + sent[0].sum(axis=-1) - came[0].sum(axis=-1)
    held = np.concatenate([by_centre(opening)[None], by_centre(log["on_hand"])])
    return np.diff(held, axis=0) - came + sent


def receipts(log: dict) -> pd.DataFrame:
    """Return what came into stock: made, bought, subcontracted, moved between the centres, adjusted by a count."""
    parts = {"made": "made", "subcontracted": "subcontracted", "adjustment": "adjusted"}
    parts = {source: by_centre(log[name]) for source, name in parts.items()} | {"transfer": transfers(log)}
    out = pd.concat([centre_grid().assign(source=source, quantity=v.ravel()) for source, v in parts.items()])
    out = out[out["quantity"] != 0].copy()
    out.loc[(out["product"] == "SPA-05") & (out["source"] == "made"), "source"] = "bought"
    out["plant"] = out["product"].map(PRODUCTS.set_index("product")["plant"]).where(out["source"] == "made", "")
    out = out.sort_values(["month", "product", "location", "source"])
    return out[["month", "product", "location", "source", "plant", "quantity"]]


def backlog(log: dict) -> pd.DataFrame:
    """Return orders not yet shipped by the month they were wanted in: the oldest ship first."""
    frames, left = [], log["backlog"]
    for age in range(4):
        wanted = np.zeros_like(left)
        wanted[age:] = np.clip(log["ordered"][: PAST - age], 0, None)
        part = np.minimum(left, wanted) if age < 3 else left
        month = np.repeat(dates(MONTHS[:PAST] - pd.DateOffset(months=age)), P * R)
        rows = grid(CLOSED, PRODUCTS["product"], REGIONS).assign(requested_month=month, quantity=part.ravel())
        frames.append(rows.query("quantity > 0"))
        left = left - part
    return pd.concat(frames).sort_values(["month", "product", "region", "requested_month"])


def resources() -> pd.DataFrame:
    """Return hours of each shared resource through 2028, with the overhaul of the press line."""
    frames = []
    for name, hours in capacity(overhaul=True).items():
        plant, _, _, overtime = RESOURCES[name]
        frame = pd.DataFrame({"month": dates(MONTHS), "plant": plant, "resource": name, "capacity": hours})
        frames.append(frame.assign(unit="hours", overtime=whole(hours * overtime)))
    return pd.concat(frames).sort_values(["month", "plant", "resource"])


def bill_of_resources() -> pd.DataFrame:
    """Return hours per unit: per product where the mix moves the load (barbecues, heaters), else per family."""
    frames = []
    for name, (plant, column, _, _) in RESOURCES.items():
        used = PRODUCTS[PRODUCTS[column] > 0]
        single = used["family"].isin(["Barbecues", "Heaters"])
        mean = (used[column] * used["weight"]).groupby(used["family"]).sum() / used.groupby("family")["weight"].sum()
        rows = pd.DataFrame({"product": used["product"].where(single, ""), "family": used["family"]})
        rows["usage_per_unit"] = used[column].where(single, used["family"].map(mean.round(3)))
        frames.append(rows.assign(plant=plant, resource=name).drop_duplicates(["product", "family"]))
    out = pd.concat(frames).sort_values(["family", "product", "resource"])
    return out[["product", "family", "plant", "resource", "usage_per_unit"]]


def prices() -> pd.DataFrame:
    """Return the price list and standard cost of each closed month."""
    price, cost = money()
    return grid(CLOSED, PRODUCTS["product"]).assign(price=price[:PAST].ravel(), cost=cost[:PAST].ravel())


def units() -> pd.DataFrame:
    """Return what a case and a pallet hold: units of this kind in one piece."""
    case = np.array([{"Covers": 10, "Lighting": 8, "Spares": 20}.get(f, 2) for f in PRODUCTS["family"]])
    packs, rows = {"case": case, "pallet": case * 8}, PRODUCTS[["product"]].assign(from_month="2020-11-01")
    frames = [rows.assign(unit=unit, factor=1 / pieces) for unit, pieces in packs.items()]
    return pd.concat(frames).sort_values(["product", "unit"]).round(9)[["product", "unit", "from_month", "factor"]]


def plants(log: dict) -> pd.DataFrame:
    """Return the people of each plant: about as many as the last twelve months' hours took."""
    hours = log["made"][-12:] * FAM["hours"].to_numpy()
    rows = []
    for plant in ("Tarn", "Brek"):
        worked = hours[:, (PRODUCTS["plant"] == plant).to_numpy()].sum()
        workers = int(worked / (7.5 * working_days(plant)[PAST - 12 : PAST].sum()) / 0.93) + 1
        rows.append((plant, workers, workers * 5 // 4, 7.5, 3300, 4000, 15000, 0.5, 24))
    names = "plant workers_opening workers_max hours_per_worker_day wage_per_worker_month hiring_cost layoff_cost"
    return pd.DataFrame(rows, columns=[*names.split(), "overtime_premium", "overtime_max_hours"])


def supply_costs() -> pd.DataFrame:
    """Return where each family can be made: cost without the wage of its hours; outside costs a sixth more in all."""
    cost = dict(zip(FAMILIES["family"], family_price() * FAMILIES["cost_rate"], strict=True))
    out = PRODUCTS[["family", "plant"]].drop_duplicates().merge(FAMILIES[["family", "hours"]], on="family")
    full, hourly = out["family"].map(cost), 3300 / (7.5 * 20.7)
    outside = out["family"].isin(SUBCONTRACT) & (out["plant"] == "Tarn")
    out["make_cost"] = (full - out["hours"] * hourly).round(2)
    out["subcontract_cost"] = (full * 7 / 6).round(2).where(outside)
    out["subcontract_max"] = out["family"].map(SUBCONTRACT).where(outside)
    return out.rename(columns={"hours": "labour_hours_per_unit"})[
        ["family", "plant", "make_cost", "labour_hours_per_unit", "subcontract_cost", "subcontract_max"]
    ]


def material_receipts() -> pd.DataFrame:
    """Return material on order: what arrives inside its lead time."""
    steel = zip(FUTURE[:4], [210000, 260000, 310000, 330000], strict=True)
    valves = zip(FUTURE[:3], [16000, 17000, 18000], strict=True)
    rows = [(m, "Sheet steel", q) for m, q in steel] + [(m, "Gas valve", q) for m, q in valves]
    out = pd.DataFrame(rows, columns=["month", "material", "quantity"]).sort_values(["month", "material"])
    return out.assign(month=dates(out["month"]))


def planned_production(mean: np.ndarray) -> pd.DataFrame:
    """Return the rates fixed by the supply planner: the first month firm, the second not."""
    plan, frames = levelled_plan(mean)[0], []
    for plant in ("Tarn", "Brek"):
        made = by_family(np.where(PRODUCTS["plant"] == plant, plan[PAST : PAST + 2], 0))
        frames.append(grid(FUTURE[:2], SEASON).assign(plant=plant, quantity=whole(made / 10).ravel() * 10))
    out = pd.concat(frames).query("quantity > 0").sort_values(["month", "family", "plant"])
    reason = out["month"].map({"2026-11-01": "Released orders", "2026-12-01": "Materials called off"})
    return out.assign(firm=out["month"] == "2026-11-01", author="Supply planner", reason=reason)


def budget(log: dict) -> pd.DataFrame:
    """Return the operating plan of 2025 to 2027, made each October from the last twelve months and a growth wish."""
    orders, season = by_family(log["ordered"]), np.array(list(SEASON.values())) / 12
    rate, frames = np.array(list(BUDGET_WISH.values())), []
    for year in (2025, 2026, 2027):
        known = at(f"{year - 1}-10")
        volume = orders[known - 12 : known].sum(axis=0) * (1 + rate)[:, None]
        quantity = whole(volume[None] * season.T[:, :, None])
        frames.append(budget_year(year, quantity, log, known))
    return pd.concat(frames)


def budget_year(year: int, quantity: np.ndarray, log: dict, known: int) -> pd.DataFrame:
    """Return one year's budget: valued two per cent above last year, stock for a month ahead, output to match."""
    last = slice(known - 12, known)
    sold = log["shipped"][last].sum(axis=2)
    price, cost = (1.02 * by_family(sold * v[last]).sum(axis=0) / by_family(sold).sum(axis=0) for v in money())
    stock = np.concatenate([quantity[1:], quantity[:1]])
    out = grid(pd.date_range(f"{year}-01-01", periods=12, freq="MS"), SEASON, REGIONS)
    out.insert(0, "version", "AOP")
    out["quantity"] = quantity.ravel()
    out["revenue"] = (quantity * price[:, None]).round(0).ravel()
    out["margin"] = (quantity * (price - cost)[:, None]).round(0).ravel()
    out["production"] = (quantity + np.diff(stock, axis=0, prepend=quantity[:1])).ravel()
    return out.assign(inventory=stock.ravel())


def stretch(plan: pd.DataFrame) -> pd.DataFrame:
    """Return what the sales director dreams of for 2027: the operating plan and eight per cent, a target apart."""
    out = plan[plan["month"] >= "2027-01-01"].assign(version="stretch")
    none = pd.Series(pd.NA, out.index, dtype="Int64")
    out = out.assign(production=none, inventory=none)
    money = {c: (out[c] * 1.08).round(0) for c in ("revenue", "margin")}
    return out.assign(quantity=whole(out["quantity"] * 1.08), **money)


def finance(sold: pd.DataFrame, plan: pd.DataFrame) -> pd.DataFrame:
    """Return the ledger from 2025 on: revenue and cost tie to sales, but for one slip."""
    actual = sold.groupby("month")[["revenue", "cost"]].sum().loc["2025-01-01":]
    planned = plan.groupby("month")[["revenue", "margin"]].sum().loc[actual.index]
    planned = planned.assign(cost=planned["revenue"] - planned["margin"]).drop(columns="margin")
    nth = np.arange(len(actual))
    planned["opex"] = 1_450_000 + 9_000 * nth
    actual["opex"] = planned["opex"] + 400 * (nth * 7 % 11) - 1_500
    line, month, slip = LEDGER_SLIP
    actual.loc[f"{month}-01", line] += slip
    both = {"plan": planned.round(0).stack(), "actual": actual.round(0).stack()}
    return pd.DataFrame(both).rename_axis(["month", "line"]).sort_index().reset_index()


def control_totals(sold: pd.DataFrame) -> pd.DataFrame:
    """Return what the order system says of the last two years: it agrees, but for one month."""
    total = sold.groupby("month")[["ordered", "shipped", "revenue", "cost"]].sum().tail(24).round(2)
    out = total.reset_index().melt("month", var_name="measure").assign(source="Order system")
    measure, month, slip = CONTROL_SLIP
    out.loc[(out["month"] == f"{month}-01") & (out["measure"] == measure), "value"] += slip
    return out.sort_values(["month", "measure"])[["month", "measure", "source", "value"]]


def drivers(degrees: np.ndarray) -> pd.DataFrame:
    """Return degrees above the usual, per region, known on the fifth of the month after."""
    out = pd.DataFrame({"month": np.repeat(dates(CLOSED), R), "driver": "temperature above usual"})
    known = np.repeat(dates(CLOSED + pd.DateOffset(months=1)), R)
    out = out.assign(region=list(REGIONS) * PAST, value=degrees[:PAST].ravel())
    return out.assign(known_on=[f"{k[:8]}05" for k in known])


def calendar() -> pd.DataFrame:
    """Return months and working days of the company and of each plant."""
    out = pd.DataFrame({"month": dates(MONTHS), "start": dates(MONTHS), "end": dates(MONTHS + pd.offsets.MonthEnd(0))})
    out = pd.concat([out.assign(plant=p, working_days=working_days(p)) for p in ("ALL", "Tarn", "Brek")])
    return out.sort_values(["month", "plant"])[["month", "plant", "start", "end", "working_days"]]
