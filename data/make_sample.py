"""Write the sample company: Alder Outdoor, an invented maker of outdoor goods. No such firm, person or figure exists.

`python data/make_sample.py [FOLDER]` writes inputs/*.csv and truth.csv into FOLDER (data/sample), the same bytes
each time: one seed, no clock, and only + - * / on floats, so that processors agree. Each planning problem is a function
that says so and leaves its row in truth.csv, which only tests read.
"""

import sys
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd

SEED, CYCLE = 20261101, pd.Timestamp("2026-11-01")
PAST, AHEAD = 72, 26
MONTHS = pd.date_range("2020-11-01", periods=PAST + AHEAD, freq="MS")
CLOSED, FUTURE = MONTHS[:PAST], MONTHS[PAST:]
REGIONS = {"North": 0.31, "South": 0.27, "East": 0.22, "West": 0.20}
DCS = {"DC North": ["North", "West"], "DC South": ["South", "East"]}
SEASON = {
    "Barbecues": [0.25, 0.45, 0.95, 1.65, 2.1, 2.0, 1.6, 1.1, 0.6, 0.4, 0.35, 0.55],
    "Furniture": [0.4, 0.6, 1.15, 1.7, 1.9, 1.7, 1.35, 0.9, 0.6, 0.55, 0.5, 0.65],
    "Heaters": [1.5, 1.2, 0.9, 0.55, 0.35, 0.25, 0.25, 0.4, 1.0, 1.75, 2.05, 1.8],
    "Parasols": [0.15, 0.3, 0.8, 1.5, 2.2, 2.5, 2.1, 1.3, 0.55, 0.25, 0.15, 0.2],
    "Lighting": [0.8, 0.7, 0.8, 0.9, 1.0, 1.05, 1.0, 0.9, 0.95, 1.1, 1.35, 1.45],
    "Covers": [0.5, 0.5, 0.7, 0.9, 1.1, 1.1, 1.0, 1.1, 1.6, 1.6, 1.1, 0.8],
    "Spares": [1.0] * 12,
}
# units: a year at the pace of 2026; growth: a year; cover: months of stock aimed at; warmth: demand per degree
FAMILIES = pd.read_csv(StringIO("""family,units,growth,cover,warmth,cost_rate,hours,tolerance,owner
Barbecues,96000,0.045,1.0,0.02,0.60,1.60,0.15,Product manager grilling
Furniture,110000,0.02,1.0,0.01,0.58,1.30,0.15,Product manager furniture
Heaters,60000,0.03,1.0,-0.03,0.61,1.30,0.15,Product manager heating
Parasols,90000,0.01,1.0,0.03,0.55,0.70,0.20,Product manager shade
Lighting,160000,0.0,1.0,0.0,0.57,0.35,0.15,Product manager lighting
Covers,120000,0.025,1.0,0.0,0.52,0.25,0.15,Product manager accessories
Spares,8000,0.0,2.0,0.0,0.45,0.20,0.30,Service manager
"""))
PRODUCTS = pd.read_csv(StringIO("""product,description,price,weight,plant,press,paint,assembly
BBQ-01,Kettle barbecue 47 cm,129,20,Tarn,0.12,0.08,0
BBQ-02,Kettle barbecue 57 cm,189,18,Tarn,0.15,0.10,0
BBQ-03,Gas barbecue 2 burners,249,17,Tarn,0.20,0.12,0
BBQ-04,Gas barbecue 3 burners,349,16,Tarn,0.24,0.14,0
BBQ-05,Gas barbecue 4 burners,459,12,Tarn,0.28,0.16,0
BBQ-06,Charcoal barrel smoker,279,9,Tarn,0.22,0.13,0
BBQ-07,Pellet smoker,599,8,Tarn,0.26,0.15,0
BBQ-08,Plancha 3 burners,299,8,Tarn,0.20,0.12,0
FUR-01,Steel folding chair,59,20,Tarn,0.10,0.12,0
FUR-02,Steel bistro table,119,12,Tarn,0.14,0.16,0
FUR-03,Steel garden bench,189,8,Tarn,0.16,0.18,0
FUR-04,Dining set for four,429,6,Tarn,0.20,0.22,0
FUR-05,Teak chair,129,14,Brek,0,0,0.25
FUR-06,Teak table 160 cm,389,9,Brek,0,0,0.38
FUR-07,Rope lounge chair,229,12,Brek,0,0,0.32
FUR-08,Sun lounger,199,13,Brek,0,0,0.30
FUR-09,Modular lounge,549,6,Brek,0,0,0.45
HEA-01,Gas patio heater 11 kW,219,24,Tarn,0.16,0.10,0
HEA-02,Gas patio heater 8 kW,169,20,Tarn,0.13,0.09,0
HEA-03,Electric heater 2 kW,149,20,Tarn,0.09,0.07,0
HEA-04,Fire bowl steel,199,20,Tarn,0.18,0.13,0
HEA-05,Fire pit table,449,8,Tarn,0.22,0.15,0
HEA-06,Gas patio heater 9 kW,179,20,Tarn,0.13,0.09,0
PAR-01,Parasol 250 cm,59,26,Brek,0,0,0.12
PAR-02,Parasol 300 cm,89,24,Brek,0,0,0.15
PAR-03,Cantilever parasol 300 cm,199,14,Brek,0,0,0.28
PAR-04,Cantilever parasol 350 cm,279,8,Brek,0,0,0.32
PAR-05,Balcony parasol,45,18,Brek,0,0,0.11
PAR-06,Parasol base 35 kg,69,10,Brek,0,0,0.10
LIG-01,Solar path light,25,30,Brek,0,0,0.05
LIG-02,Festoon string 10 m,39,24,Brek,0,0,0.07
LIG-03,Table lantern,45,16,Brek,0,0,0.08
LIG-04,Wall light,69,12,Brek,0,0,0.10
LIG-05,Floor lamp outdoor,119,7,Brek,0,0,0.15
LIG-06,Spot with sensor,55,11,Brek,0,0,0.09
COV-01,Barbecue cover small,29,26,Brek,0,0,0.05
COV-02,Barbecue cover large,39,24,Brek,0,0,0.06
COV-03,Furniture set cover,59,16,Brek,0,0,0.08
COV-04,Parasol cover,25,22,Brek,0,0,0.04
COV-05,Lounger cover,45,12,Brek,0,0,0.06
SPA-01,Burner tube,35,24,Tarn,0.03,0,0
SPA-02,Ignition set,29,24,Tarn,0.02,0,0
SPA-03,Grate cast iron,59,18,Tarn,0.05,0.02,0
SPA-04,Crank for parasol,19,16,Tarn,0.01,0,0
SPA-05,Gas hose with regulator,25,18,Tarn,0,0,0
"""))
PRODUCTS["family"] = PRODUCTS["product"].str[:3].map({f[:3].upper(): f for f in SEASON} | {"BBQ": "Barbecues"})
P, R = len(PRODUCTS), len(REGIONS)
CODE = {code: i for i, code in enumerate(PRODUCTS["product"])}
FAM = FAMILIES.set_index("family").loc[PRODUCTS["family"]].reset_index()
RESOURCES = {"press line": ("Tarn", "press", 205, 0.12), "paint shop": ("Tarn", "paint", 150, 0.15),
             "assembly": ("Brek", "assembly", 290, 0.15)}  # fmt: skip
LIFE = {"FUR-09": ("2025-06", ""), "HEA-02": ("", "2026-04"), "HEA-06": ("2026-05", ""), "BBQ-08": ("2027-01", "")}
SUCCESSOR = {"HEA-02": "HEA-06"}
EVENTS = pd.read_csv(StringIO("""event,kind,product,family,region,from_month,to_month,uplift_rate,uplift_units,probability,spend,owner
Festoon autumn deal 2023,promotion,LIG-02,Lighting,,2023-11-01,2023-11-01,0.35,,1,22000,Marketing manager
Grill week 2024,promotion,,Barbecues,,2024-04-01,2024-04-01,0.15,,1,60000,Marketing manager
Festoon autumn deal 2024,promotion,LIG-02,Lighting,,2024-11-01,2024-11-01,0.35,,1,24000,Marketing manager
Lounger summer deal,promotion,FUR-08,Furniture,South,2025-06-01,2025-07-01,0.30,,1,18000,Marketing manager
Grill week 2025,promotion,,Barbecues,,2025-04-01,2025-04-01,0.15,,1,64000,Marketing manager
Hotel contract,one_off,FUR-03,Furniture,South,2026-02-01,2026-02-01,,900,1,0,Sales manager South
Fire bowl winter deal,promotion,HEA-04,Heaters,,2025-12-01,2025-12-01,0.25,,1,15000,Marketing manager
Plancha demo tour,tactic,BBQ-08,Barbecues,,2027-04-01,2027-06-01,0.10,,0.7,35000,Marketing manager
Festoon autumn deal 2026,promotion,LIG-02,Lighting,,2026-11-01,2026-11-01,0.35,,0.9,25000,Marketing manager
Grill week 2027,promotion,,Barbecues,,2027-04-01,2027-04-01,0.15,,0.9,68000,Marketing manager
DIY chain East,account,COV-01,Covers,East,2027-03-01,2028-12-01,,420,0.6,20000,Key account manager East
"""))
# supply cut to a share: customers could not order, so `ordered` hides what they wanted
STOCK_OUTS = [("BBQ-03", "2025-04", "2025-07", 0.30), ("PAR-02", "2026-05", "2026-07", 0.25), ("LIG-04", "2025-10", "2025-12", 0.15)]
LEVEL_SHIFT = ("COV-03", "2025-03", 1.45)
DRIFT = ("Lighting", "2025-06", -0.10)
OVERHAUL = ("press line", "2027-03", "2027-04", 0.35)
UNEXPLAINED = ("FUR-02", "2026-04", -240)
RETURNS = [("HEA-02", "2026-06", "West", 14), ("HEA-02", "2026-07", "North", 9), ("FUR-09", "2026-01", "East", 3)]
OPTIMISM = 0.12
LATE_EAST = 0.35
LEDGER_SLIP = ("2026-03", "revenue", 84000.0)
CONTROL_SLIP = ("2026-08", "shipped", -1250)


def at(month: str) -> int:
    """Return the position of a month in MONTHS."""
    return int(MONTHS.get_loc(f"{month}-01"))


def normal(rng, *shape) -> np.ndarray:
    """Return bell-shaped noise, mean 0 and deviation 1: twelve uniforms added, the same on every processor."""
    total = np.zeros(shape)
    for _ in range(12):
        total = total + rng.random(shape)
    return total - 6.0


def whole(values) -> np.ndarray:
    """Return values rounded half up, as integers."""
    return np.floor(np.asarray(values, dtype=float) + 0.5).astype(int)


def pick(family: str) -> np.ndarray:
    """Return which products belong to a family."""
    return (PRODUCTS["family"] == family).to_numpy()


def spread(wanted: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Return integer shares of each row's total in proportion to `wanted`; they sum to it exactly."""
    cumulated = wanted.cumsum(axis=1)
    steps = cumulated * total[:, None] // np.maximum(cumulated[:, -1:], 1)
    return np.diff(steps, axis=1, prepend=0)


# ---- demand -------------------------------------------------------------------------------------------------------


def working_days(plant: str = "ALL") -> np.ndarray:
    """Return working days per month: Mondays to Fridays without fixed holidays; Tarn closes a week in August."""
    years = range(2020, 2030)
    holidays = [f"{y}-{d}" for y in years for d in ("01-01", "01-06", "05-01", "10-03", "11-01", "12-25", "12-26")]
    first = MONTHS.to_numpy().astype("datetime64[D]")
    last = (MONTHS + pd.offsets.MonthBegin(1)).to_numpy().astype("datetime64[D]")
    days = np.busday_count(first, last, holidays=holidays)
    return days - np.where((MONTHS.month == 8) & (plant == "Tarn"), 5, 0)


def life(code: str) -> np.ndarray:
    """Return a product's life as a rate of its full pace: ramp of a launch, fade of a phase-out."""
    begin, end = LIFE.get(code, ("", ""))
    rate, t = np.ones(len(MONTHS)), np.arange(len(MONTHS))
    if begin:
        takes_over = code in SUCCESSOR.values()
        rate = np.clip((0.7 if takes_over else 0.3) + 0.12 * (t - at(begin)), 0, 1) * (t >= at(begin))
    if end:
        rate = np.where(t > at(end), 0.0, np.clip(0.4 + 0.15 * (at(end) - t), 0, 1))
    return rate


def trend() -> np.ndarray:
    """Return growth per month and product; Lighting drifts below budget, one product steps up."""
    years = (np.arange(len(MONTHS)) - at("2026-06")) / 12
    rate = 1 + years[:, None] * FAM["growth"].to_numpy()
    since = np.clip(np.arange(len(MONTHS)) - at(DRIFT[1]), 0, None) / 12
    rate = rate * np.where(pick(DRIFT[0]), 1 + DRIFT[2] * since[:, None], 1.0)
    product, month, factor = LEVEL_SHIFT
    rate[: at(month), CODE[product]] /= factor
    return rate


def event_effect(expected: np.ndarray, events: pd.DataFrame) -> np.ndarray:
    """Return units that events add per month, product and region."""
    extra = np.zeros_like(expected)
    for e in events.itertuples():
        rows = slice(at(e.from_month[:7]), at(e.to_month[:7]) + 1 if e.to_month[:7] <= "2028-12" else None)
        who = [CODE[e.product]] if isinstance(e.product, str) else np.flatnonzero(pick(e.family))
        where = [list(REGIONS).index(e.region)] if isinstance(e.region, str) else range(R)
        cells = np.ix_(range(len(MONTHS))[rows], who, where)
        extra[cells] += e.uplift_units if e.uplift_rate != e.uplift_rate else e.uplift_rate * expected[cells]
    return extra


def expected_demand(rng) -> np.ndarray:
    """Return mean demand per month, product and region, events of the past included."""
    season = np.array([SEASON[f] for f in PRODUCTS["family"]])[:, MONTHS.month - 1].T
    alive = np.array([life(code) for code in PRODUCTS["product"]]).T
    standing = PRODUCTS["weight"].where(~PRODUCTS["product"].isin(["HEA-06", "BBQ-08", "FUR-09"]), 0)
    total = standing.groupby(PRODUCTS["family"]).transform("sum")
    pace = (FAM["units"] * PRODUCTS["weight"] / total / 12).to_numpy()
    taste = np.array(list(REGIONS.values())) * (1 + 0.12 * normal(rng, P, R))
    taste = taste / taste.sum(axis=1, keepdims=True)
    days = 1 + 0.5 * (working_days() / 20.7 - 1)
    mean = (season * trend() * alive * pace * days[:, None])[:, :, None] * taste
    return mean + event_effect(mean, EVENTS[EVENTS["to_month"] < "2026-11"])


def warmth(rng) -> np.ndarray:
    """Return degrees above the usual per month and region."""
    common = normal(rng, len(MONTHS), 1)
    return np.round(1.1 * common + 0.5 * normal(rng, len(MONTHS), R), 1)


def wanted_demand(expected: np.ndarray, degrees: np.ndarray, rng) -> np.ndarray:
    """Return what customers wanted: mean, warm or cold months, slow waves per family, noise; spares come in lumps."""
    wave, state = np.zeros((PAST, len(SEASON))), np.zeros(len(SEASON))
    for t in range(PAST):
        state = 0.6 * state + 0.025 * normal(rng, len(SEASON))
        wave[t] = state
    rate = 1 + wave[:, [list(SEASON).index(f) for f in PRODUCTS["family"]]][:, :, None]
    rate = rate + FAM["warmth"].to_numpy()[:, None] * degrees[:PAST, None, :]
    rate = rate + 0.06 * normal(rng, PAST, P)[:, :, None] + 0.10 * normal(rng, PAST, P, R)
    hit = rng.random((PAST, P, R)) < 0.32
    lumps = np.where(hit, np.clip(1 + 0.5 * normal(rng, PAST, P, R), 0.2, None) / 0.32, 0.0)
    rate = np.where(pick("Spares")[:, None], lumps, np.clip(rate, 0.3, None))
    return whole(expected[:PAST] * rate)


# ---- supply -------------------------------------------------------------------------------------------------------


def capacity(overhaul: bool) -> dict[str, np.ndarray]:
    """Return hours per month of each shared resource; the press line is overhauled in spring 2027."""
    hours = {r: whole(daily * working_days(plant)) for r, (plant, _, daily, _) in RESOURCES.items()}
    resource, begin, end, left = OVERHAUL
    if overhaul:
        window = slice(at(begin), at(end) + 1)
        hours[resource][window] = whole(hours[resource][window] * left)
    return hours


def strain(units: np.ndarray, t: int, hours: dict[str, np.ndarray]) -> np.ndarray:
    """Return load over capacity per product: of the fullest resource it uses in month t."""
    rate = np.zeros(P)
    for resource, (_, column, _, _) in RESOURCES.items():
        usage = PRODUCTS[column].to_numpy()
        rate = np.maximum(rate, np.where(usage > 0, (usage * units).sum() / hours[resource][t], 0.0))
    return rate


def levelled_plan(mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return planned output and stock per month and product: cover for coming months, peaks made earlier."""
    hours, cover = capacity(overhaul=False), FAM["cover"].to_numpy()
    ahead = np.vstack([mean[1:], mean[-12:-11]])
    stock = cover * ahead
    output = np.clip(mean + np.diff(stock, axis=0, prepend=stock[:1]), 0, None)
    for t in range(len(MONTHS) - 1, 0, -1):
        kept = output[t] / np.maximum(strain(output[t], t, hours) / 0.88, 1)
        output[t - 1] += output[t] - kept
        output[t] = kept
    return output, stock[0] + (output - mean).cumsum(axis=0)


def disruption() -> np.ndarray:
    """Return the share of supply that arrives per month and product: stock-outs that hide demand."""
    share = np.ones((PAST, P))
    for product, begin, end, left in STOCK_OUTS:
        share[at(begin) : at(end) + 1, CODE[product]] = left
    return share


def returned() -> np.ndarray:
    """Return units that came back per month, product and region."""
    back = np.zeros((PAST, P, R), dtype=int)
    for product, month, region, units in RETURNS:
        back[at(month), CODE[product], list(REGIONS).index(region)] = units
    return back


def stock_counts(rng) -> np.ndarray:
    """Return booked differences of the yearly count each January: a few units."""
    found = whole(6 * normal(rng, PAST, P)) * (CLOSED.month == 1)[:, None]
    return np.where(rng.random((PAST, P)) < 0.5, found, 0)


def run_factory(mean: np.ndarray, wanted: np.ndarray, rng) -> dict[str, np.ndarray]:
    """Return 72 months of the company at work: made, subcontracted, ordered, shipped, on hand and backlog."""
    plan, target = levelled_plan(mean)
    hours, share, back, counted = capacity(overhaul=False), disruption(), returned(), stock_counts(rng)
    late = 0.03 + 0.02 * rng.random((PAST, P, R)) + 0.02 * np.array([0, 0, 1, 0])
    names = ["made", "subcontracted", "adjusted", "on_hand"]
    log = {n: np.zeros((PAST, P), dtype=int) for n in names}
    log |= {n: np.zeros((PAST, P, R), dtype=int) for n in ("ordered", "shipped", "backlog")}
    stock, owed = whole(target[0]), np.zeros((P, R), dtype=int)
    for t in range(PAST):
        need = np.clip(plan[t] + 0.8 * (target[max(t - 1, 0)] - stock + owed.sum(axis=1)), 0, None) * (mean[t] + plan[t] > 0)
        made = whole(need / np.maximum(strain(need, t, hours) / 0.94, 1) * share[t])
        outside = np.minimum(whole(need * share[t]) - made, np.where(subcontractable(), 900, 0))
        adjusted = np.maximum(np.where(share[t] < 1, 0, counted[t]), -stock)
        stock = stock + made + outside + adjusted
        asked = owed + wanted[t] - np.floor(wanted[t] * late[t]).astype(int) * (share[t] == 1)[:, None]
        sent = spread(asked, np.minimum(stock, asked.sum(axis=1)))
        taken = np.where((share[t] < 1)[:, None], np.clip(sent - owed, 0, None), wanted[t])
        owed, stock = owed + taken - sent, stock - sent.sum(axis=1) + back[t].sum(axis=1) + unexplained(t)
        row = dict(made=made, subcontracted=outside, adjusted=adjusted, on_hand=stock, backlog=owed)
        for name, values in (row | dict(ordered=taken - back[t], shipped=sent - back[t])).items():
            log[name][t] = values
    return log


def subcontractable() -> np.ndarray:
    """Return which products the subcontractor can make."""
    return PRODUCTS["family"].isin(["Barbecues", "Furniture"]).to_numpy()


def unexplained(t: int) -> np.ndarray:
    """Return stock that vanished without a booking: one product in one month."""
    product, month, units = UNEXPLAINED
    return np.where(np.arange(P) == CODE[product], units * (t == at(month)), 0)


# ---- tables -------------------------------------------------------------------------------------------------------


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
    out = grid(CLOSED, PRODUCTS["product"], REGIONS).assign(ordered=log["ordered"].ravel(), shipped=log["shipped"].ravel())
    out["revenue"] = (log["shipped"] * price[:PAST, :, None]).round(2).ravel()
    out["cost"] = (log["shipped"] * cost[:PAST, :, None]).round(2).ravel()
    return out[(out["ordered"] != 0) | (out["shipped"] != 0)]


def families() -> pd.DataFrame:
    """Return how each family is planned; the rates come from its mean price and cost."""
    weight = PRODUCTS["weight"] / PRODUCTS.groupby("family")["weight"].transform("sum")
    price = (PRODUCTS["price"] * weight).groupby(PRODUCTS["family"]).sum().loc[list(SEASON)].to_numpy()
    return pd.DataFrame(
        {
            "family": FAMILIES["family"], "unit": "piece", "strategy": "MTS", "owner": FAMILIES["owner"], "fill_target": 0.95,
            "cover_days": np.where(FAMILIES["family"] == "Spares", 60, 30), "tolerance": FAMILIES["tolerance"],
            "frozen_months": 1, "slushy_months": 2, "holding_cost": np.round(price * FAMILIES["cost_rate"] * 0.018, 2),
            "backlog_cost": np.round(price * 0.04, 2), "lost_sale_cost": np.round(price * 1.1, 2),
        }
    )  # fmt: skip


def inventory(log: dict) -> pd.DataFrame:
    """Return month-end stock of the two distribution centres, the second holding what its regions need."""
    north = log["on_hand"] * 51 // 100
    out = grid(CLOSED, PRODUCTS["product"]).merge(pd.DataFrame({"location": list(DCS)}), how="cross")
    out["on_hand"] = np.stack([north, log["on_hand"] - north], axis=2).ravel()
    blocked = np.where((np.arange(PAST) % 5 == 0)[:, None] & (np.arange(P) % 7 == 3), log["on_hand"] // 60, 0)
    out["blocked"] = np.stack([blocked, 0 * blocked], axis=2).ravel()
    return out


def receipts(log: dict) -> pd.DataFrame:
    """Return what came into stock; transfers between the centres make each one's stock roll forward."""
    parts = {n: np.stack([log[n] * 51 // 100, log[n] - log[n] * 51 // 100], axis=2) for n in ("made", "subcontracted", "adjusted")}
    served = [[list(REGIONS).index(r) for r in regions] for regions in DCS.values()]
    sent = np.stack([log["shipped"][:, :, who].sum(axis=2) for who in served], axis=2)
    held = inventory(log)["on_hand"].to_numpy().reshape(PAST, P, 2)
    lost = np.stack([np.array([unexplained(t) for t in range(PAST)]) * k for k in (0, 1)], axis=2)
    opening = (log["on_hand"][:1] - log["made"][:1] - log["subcontracted"][:1] - log["adjusted"][:1])[:, :, None] + sent[:1].sum(axis=2, keepdims=True)
    start = np.concatenate([opening * 51 // 100, opening - opening * 51 // 100], axis=2)
    moved = np.diff(held, axis=0, prepend=start) - sum(parts.values()) + sent - lost
    frames = []
    for source, values in {"made": parts["made"], "subcontracted": parts["subcontracted"], "adjustment": parts["adjusted"], "transfer": moved}.items():
        rows = grid(CLOSED, PRODUCTS["product"]).merge(pd.DataFrame({"location": list(DCS)}), how="cross")
        frames.append(rows.assign(source=source, quantity=values.ravel()))
    out = pd.concat(frames).query("quantity != 0")
    out.loc[(out["product"] == "SPA-05") & (out["source"] == "made"), "source"] = "bought"
    out["plant"] = out["product"].map(PRODUCTS.set_index("product")["plant"]).where(out["source"] == "made", "")
    return out.sort_values(["month", "product", "location", "source"])[["month", "product", "location", "source", "plant", "quantity"]]


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
        frame = pd.DataFrame({"month": dates(MONTHS), "plant": plant, "resource": name, "capacity": hours, "unit": "hours"})
        frames.append(frame.assign(overtime=whole(hours * overtime)))
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


SMALL = {
    "locations": """location,type,region,storage
Tarn,plant,North,12000
Brek,plant,South,15000
DC North,dc,North,130000
DC South,dc,South,130000
Factory shop Brek,shop,South,800
""",
    "exchange_rates": """currency,from_month,rate
USD,2024-01-01,0.92
USD,2025-01-01,0.94
USD,2026-01-01,0.89
GBP,2024-01-01,1.16
GBP,2025-01-01,1.19
GBP,2026-01-01,1.15
""",
    "materials": """material,on_hand,supply_max,lead_time_months,unit_cost
Sheet steel,420000,420000,4,1.1
Gas valve,16000,17000,3,9.5
""",
    "bill_of_materials": """material,product,family,quantity_per_unit
Sheet steel,,Barbecues,19
Sheet steel,,Heaters,9
Gas valve,BBQ-03,Barbecues,2
Gas valve,BBQ-04,Barbecues,3
Gas valve,BBQ-05,Barbecues,4
Gas valve,BBQ-08,Barbecues,3
Gas valve,HEA-01,Heaters,1
Gas valve,HEA-02,Heaters,1
Gas valve,HEA-06,Heaters,1
""",
    "kpi_targets": """kpi,family,year,target,owner_role,parent_kpi
fill_rate,,2026,0.96,Supply chain manager,
on_time_in_full,,2026,0.92,Logistics manager,fill_rate
forecast_wape,,2026,0.15,Demand planner,fill_rate
forecast_bias,,2026,0,Demand planner,forecast_wape
cover_days,,2026,38,Supply planner,
inventory_turns,,2026,9,Supply planner,cover_days
gross_margin,,2026,0.41,Finance manager,
revenue,,2026,84000000,Sales director,gross_margin
fill_rate,,2027,0.97,Supply chain manager,
on_time_in_full,,2027,0.94,Logistics manager,fill_rate
forecast_wape,,2027,0.14,Demand planner,fill_rate
forecast_bias,,2027,0,Demand planner,forecast_wape
cover_days,,2027,36,Supply planner,
inventory_turns,,2027,10,Supply planner,cover_days
gross_margin,,2027,0.42,Finance manager,
revenue,,2027,88000000,Sales director,gross_margin
""",
    "launches": """product,region,launch_month,like_product,volume_year_1,low,high,cannibalises
BBQ-08,,2027-01-01,BBQ-03,7600,5200,10400,BBQ-03
FUR-09,,2025-06-01,FUR-07,6200,4000,8600,
HEA-06,,2026-05-01,HEA-02,11500,9500,13500,HEA-02
""",
    "engineering_changes": """change,product,effective_month,successor,resource_hours
EC-101,HEA-02,2026-05-01,HEA-06,60
EC-114,BBQ-04,2027-02-01,,120
EC-117,PAR-03,2027-09-01,,40
""",
    "initiatives": """initiative,owner,from_month,spend,benefit,hurdle_roi,objective
Press line overhaul,Plant manager Tarn,2027-03-01,1450000,2300000,0.25,Press line runs until 2040
Second carrier East,Logistics manager,2026-09-01,180000,260000,0.2,On time in full in East at 0.94
Stock visibility for shops,Sales director,2025-03-01,240000,300000,0.15,Fewer lost sales in stock-outs
Lighting range renewal,Product manager lighting,2027-02-01,600000,980000,0.3,Stop the fall of Lighting
""",
}


def small(name: str) -> pd.DataFrame:
    """Return one of the tables written by hand above."""
    return pd.read_csv(StringIO(SMALL[name]), dtype=str, keep_default_na=False)


def prices() -> pd.DataFrame:
    """Return the price list and standard cost of each closed month."""
    price, cost = money()
    return grid(CLOSED, PRODUCTS["product"]).assign(price=price[:PAST].ravel(), cost=cost[:PAST].ravel())


def units() -> pd.DataFrame:
    """Return what a case and a pallet hold: units of this kind in one piece."""
    case = np.array([{"Covers": 10, "Lighting": 8, "Spares": 20}.get(f, 2) for f in PRODUCTS["family"]])
    frames = [PRODUCTS[["product"]].assign(unit=u, from_month="2020-11-01", factor=1 / n) for u, n in (("case", case), ("pallet", case * 8))]
    return pd.concat(frames).sort_values(["product", "unit"]).round(9)


def plants(log: dict) -> pd.DataFrame:
    """Return the people of each plant: about as many as the last twelve months' hours took."""
    hours = log["made"][-12:] * labour_hours()
    rows = []
    for plant in ("Tarn", "Brek"):
        worked = hours[:, (PRODUCTS["plant"] == plant).to_numpy()].sum()
        workers = int(worked / (7.5 * working_days(plant)[PAST - 12 : PAST].sum()) / 0.93) + 1
        rows.append((plant, workers, workers * 5 // 4, 7.5, 3300, 2600, 5200, 0.5, 12))
    names = "plant workers_opening workers_max hours_per_worker_day wage_per_worker_month hiring_cost layoff_cost"
    return pd.DataFrame(rows, columns=[*names.split(), "overtime_premium", "overtime_max_hours"])


def labour_hours() -> np.ndarray:
    """Return people's hours per unit of each product."""
    return FAM["hours"].to_numpy()


def supply_costs() -> pd.DataFrame:
    """Return where each family can be made; cost without the wage of its hours; the subcontractor costs a quarter more."""
    cost = families()["lost_sale_cost"].to_numpy() / 1.1 * FAMILIES["cost_rate"].to_numpy()
    wage = 3300 / (7.5 * 20.7)
    rows = []
    for (i, f), plant in [(row, p) for row in FAMILIES.iterrows() for p in ("Tarn", "Brek")]:
        if plant not in set(PRODUCTS.loc[pick(f["family"]), "plant"]):
            continue
        hours, bought = f["hours"], {"Barbecues": 900, "Furniture": 900}.get(f["family"] if plant == "Tarn" else "", None)
        outside = None if bought is None else round(cost[i] * 1.25, 2)
        rows.append((f["family"], plant, round(cost[i] - hours * wage, 2), hours, outside, bought))
    return pd.DataFrame(rows, columns=["family", "plant", "make_cost", "labour_hours_per_unit", "subcontract_cost", "subcontract_max"])


def material_receipts() -> pd.DataFrame:
    """Return material on order: what arrives inside its lead time."""
    steel = zip(FUTURE[:4], [150000, 190000, 230000, 250000], strict=True)
    valves = zip(FUTURE[:3], [9000, 9500, 10500], strict=True)
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
    wish = {"Barbecues": 0.05, "Furniture": 0.03, "Heaters": 0.03, "Parasols": 0.02, "Lighting": 0.03, "Covers": 0.03, "Spares": 0.0}
    orders, season = by_family(log["ordered"]), np.array(list(SEASON.values())) / 12
    rate, frames = np.array(list(wish.values())), []
    for year in (2025, 2026, 2027):
        known = at(f"{year - 1}-10")
        volume = orders[known - 12 : known].sum(axis=0) * (1 + rate)[:, None]
        quantity = whole(volume[None] * season.T[:, :, None])
        frames.append(budget_year(year, quantity, log, known))
    return pd.concat(frames)


def budget_year(year: int, quantity: np.ndarray, log: dict, known: int) -> pd.DataFrame:
    """Return one year's budget: quantity valued at last year's mean price, stock for a month ahead, output to match."""
    price, cost = money()
    sold = by_family(log["shipped"][known - 12 : known].sum(axis=2)).sum(axis=0)
    worth = [by_family(log["shipped"][known - 12 : known].sum(axis=2) * v[known - 12 : known]).sum(axis=0) / sold for v in (price, cost)]
    worth = [1.02 * w for w in worth]
    stock = np.concatenate([quantity[1:], quantity[:1]])
    made = quantity + np.diff(stock, axis=0, prepend=quantity[:1])
    out = grid(pd.date_range(f"{year}-01-01", periods=12, freq="MS"), SEASON, REGIONS).assign(version="AOP", quantity=quantity.ravel())
    out["revenue"] = (quantity * worth[0][:, None]).round(0).ravel()
    out["margin"] = (quantity * (worth[0] - worth[1])[:, None]).round(0).ravel()
    return out.assign(production=made.ravel(), inventory=stock.ravel())[["version", *out.columns.drop("version"), "production", "inventory"]]


def finance(sold: pd.DataFrame, plan: pd.DataFrame) -> pd.DataFrame:
    """Return the ledger from 2025 on: revenue and cost tie to sales, but for one slip."""
    actual = sold.groupby("month")[["revenue", "cost"]].sum().loc["2025-01-01":]
    planned = plan.groupby("month")[["revenue", "margin"]].sum().loc[actual.index]
    planned["cost"] = planned["revenue"] - planned["margin"]
    fixed = 1_450_000 + 9_000 * np.arange(len(actual))
    lines = {"revenue": (planned["revenue"], actual["revenue"]), "cost": (planned["cost"], actual["cost"])}
    lines["opex"] = (fixed + 0.0, fixed + 400.0 * (np.arange(len(actual)) * 7 % 11) - 1500)
    frames = [pd.DataFrame({"month": actual.index, "line": k, "plan": np.round(p, 0), "actual": np.round(a, 0)}) for k, (p, a) in lines.items()]
    out = pd.concat(frames).reset_index(drop=True)
    month, line, slip = LEDGER_SLIP
    out.loc[(out["month"] == f"{month}-01") & (out["line"] == line), "actual"] += slip
    return out.sort_values(["month", "line"])


def control_totals(sold: pd.DataFrame) -> pd.DataFrame:
    """Return what the order system says of the last two years: it agrees, but for one month."""
    total = sold.groupby("month")[["ordered", "shipped", "revenue", "cost"]].sum().tail(24).round(2)
    out = total.reset_index().melt("month", var_name="measure").assign(source="Order system")
    month, measure, slip = CONTROL_SLIP
    out.loc[(out["month"] == f"{month}-01") & (out["measure"] == measure), "value"] += slip
    return out.sort_values(["month", "measure"])[["month", "measure", "source", "value"]]


def drivers(degrees: np.ndarray) -> pd.DataFrame:
    """Return degrees above the usual, per region, known on the fifth of the month after."""
    out = pd.DataFrame({"month": np.repeat(dates(CLOSED), R), "driver": "temperature above usual", "region": list(REGIONS) * PAST})
    known = np.repeat(dates(CLOSED + pd.DateOffset(months=1)), R)
    return out.assign(value=degrees[:PAST].ravel(), known_on=[f"{k[:8]}05" for k in known])


def calendar() -> pd.DataFrame:
    """Return months and working days of the company and of each plant."""
    ends = MONTHS + pd.offsets.MonthEnd(0)
    frames = [
        pd.DataFrame({"month": dates(MONTHS), "plant": plant, "start": dates(MONTHS), "end": dates(ends), "working_days": working_days(plant)})
        for plant in ("ALL", "Tarn", "Brek")
    ]
    return pd.concat(frames).sort_values(["month", "plant"])


# ---- plans of the past ---------------------------------------------------------------------------------------------


def statistical(orders: np.ndarray, known: int) -> np.ndarray:
    """Return 18 months from orders known so far: last two years' months carried on at the yearly drift, damped."""
    past = orders[:known].astype(float)
    drift = 1 + 0.6 * (past[-12:].sum(axis=0) / np.maximum(past[-24:-12].sum(axis=0), 1) - 1)
    year = 0.65 * past[-12:] * drift + 0.35 * past[-24:-12] * drift * drift
    return np.concatenate([year, year[:6] * drift])


def streams(orders: np.ndarray, known: int, rng) -> dict[str, np.ndarray]:
    """Return the three streams of a cycle; sales is always optimistic; consensus takes a fifth of it."""
    base = statistical(orders, known)
    hope = base * (1 + OPTIMISM) * (1 + 0.04 * normal(rng, *base.shape))
    return {"statistical": whole(base), "sales": whole(hope), "consensus": whole(0.8 * base + 0.2 * hope)}


def plan_frame(cycle: int, stream: str, measure: str, values: np.ndarray) -> pd.DataFrame:
    """Return one stream of one cycle as rows; values per month and family, and region where they have one."""
    out = grid(MONTHS[cycle : cycle + 18], SEASON, REGIONS if values.ndim == 3 else ["ALL"])
    return out.assign(cycle=dates(MONTHS[[cycle]])[0], stream=stream, measure=measure, quantity=values.ravel())


def past_plans(log: dict, rng) -> pd.DataFrame:
    """Return twelve cycles of plans, each made from what was known then."""
    orders, held = by_family(log["ordered"]), by_family(log["on_hand"])
    frames = []
    for cycle in range(PAST - 12, PAST):
        made = streams(orders, cycle, rng)
        frames += [plan_frame(cycle, stream, "demand", values) for stream, values in made.items()]
        demand = made["consensus"].sum(axis=2)
        stock = np.concatenate([held[cycle - 12 : cycle], held[cycle - 12 : cycle - 6]])
        supply = np.zeros_like(stock)
        have = held[cycle - 1]
        for t in range(18):
            supply[t] = np.clip(demand[t] + stock[t] - have, 0, None)
            have = stock[t] = have + supply[t] - demand[t]
        frames += [plan_frame(cycle, "consensus", "supply", supply), plan_frame(cycle, "consensus", "inventory", stock)]
    return pd.concat(frames)[["cycle", "stream", "measure", "month", "family", "region", "quantity"]]


def demand_inputs(log: dict, plan: pd.DataFrame, rng) -> pd.DataFrame:
    """Return what sales, finance and one customer bring to this cycle."""
    made = streams(by_family(log["ordered"]), PAST, rng)
    hope = plan_frame(PAST, "sales", "demand", made["sales"]).assign(author="Sales director", reason="Regional sales outlook")
    money_side = plan[plan["month"] >= "2027-01-01"][["month", "family", "region", "quantity"]]
    money_side = money_side.assign(stream="finance", author="Finance manager", reason="Operating plan 2027")
    chain = hope[(hope["family"] == "Covers") & (hope["region"] == "East") & (hope["month"] >= "2027-03-01")]
    chain = chain.assign(stream="customer", quantity=chain["quantity"] + 420, author="Key account manager East", reason="DIY chain listing")
    out = pd.concat([hope, money_side, chain]).assign(cycle="2026-11-01")
    return out[["cycle", "stream", "month", "family", "region", "quantity", "author", "reason"]]


# ---- deliveries ----------------------------------------------------------------------------------------------------


def shipments(log: dict, rng) -> pd.DataFrame:
    """Return order lines of the last twelve months: plant to centre, centre to customer."""
    return pd.concat([to_customers(log, rng), to_centres(log)])[
        ["order", "line", "delivery", "leg", "product", "from", "to", "ordered_on", "requested_on", "promised_on", "shipped_on", "delivered_on", "ordered", "shipped"]
    ]


def to_customers(log: dict, rng) -> pd.DataFrame:
    """Return three order lines per month, product and region; what was short goes later; one leg runs late."""
    cells = grid(CLOSED, PRODUCTS["product"], REGIONS).assign(ordered=log["ordered"].ravel(), short=log["backlog"].ravel())
    cells["order"] = [f"C{n:06d}" for n in range(len(cells))]
    cells = cells[(cells["month"] >= "2025-11-01") & (cells["ordered"] > 0)]
    lines = pd.concat([cells.assign(line=n, ordered=cells["ordered"] // 3 + (cells["ordered"] % 3 >= n)) for n in (1, 2, 3)])
    lines = lines[lines["ordered"] > 0].sort_values(["order", "line"], ignore_index=True)
    later = lines.iloc[::-1].groupby("order")["ordered"].cumsum().iloc[::-1] - lines["ordered"]
    lines["later"] = np.clip(lines["short"] - later, 0, lines["ordered"])
    day = 4 + np.floor(20 * rng.random(len(lines))).astype(int)
    slow = np.where(lines["region"] == "East", LATE_EAST, 0.03)
    delay = np.where(rng.random(len(lines)) < slow, 2 + np.floor(8 * rng.random(len(lines))).astype(int), 0)
    lines["asked"] = pd.to_datetime(lines["month"]) + pd.to_timedelta(day, unit="D")
    lines["delay"] = delay
    first = lines.assign(delivery=1, sent=lines["asked"] - pd.Timedelta(days=3), shipped=lines["ordered"] - lines["later"])
    rest = lines[(lines["later"] > 0) & (lines["month"] < "2026-10-01")]
    following = pd.to_datetime(rest["month"]) + pd.DateOffset(months=1)
    rest = rest.assign(delivery=2, sent=following + pd.Timedelta(days=4), shipped=rest["later"], ordered=0)
    return delivery_dates(pd.concat([first, rest]))


def delivery_dates(lines: pd.DataFrame) -> pd.DataFrame:
    """Return order lines with their dates as text; a line of which nothing left has no dates."""
    centre = {r: dc for dc, regions in DCS.items() for r in regions}
    arrived = lines["sent"] + pd.to_timedelta(3 + lines["delay"], unit="D")
    gone, out = lines["shipped"] > 0, lines.assign(leg="dc-customer", to=lines["region"])
    out["from"] = lines["region"].map(centre)
    when = {"ordered_on": lines["asked"] - pd.Timedelta(days=14), "requested_on": lines["asked"], "promised_on": lines["asked"]}
    when |= {"shipped_on": lines["sent"].where(gone), "delivered_on": arrived.where(gone)}
    return out.assign(**{n: d.dt.strftime("%Y-%m-%d") for n, d in when.items()}).sort_values(["order", "line", "delivery"])


def to_centres(log: dict) -> pd.DataFrame:
    """Return one transport a month, product and centre from its plant."""
    made = receipts(log).query("source == 'made' and month >= '2025-11-01'").reset_index(drop=True)
    start = made["month"].str[:8]
    return pd.DataFrame(
        {
            "order": [f"P{n:05d}" for n in range(len(made))], "line": 1, "delivery": 1, "leg": "plant-dc", "product": made["product"],
            "from": made["plant"], "to": made["location"], "ordered_on": start + "02", "requested_on": start + "18",
            "promised_on": start + "18", "shipped_on": start + "16", "delivered_on": np.where(made.index % 29 == 0, start + "21", start + "18"),
            "ordered": made["quantity"], "shipped": made["quantity"],
        }
    )  # fmt: skip


# ---- truth and files -----------------------------------------------------------------------------------------------


def truth(wanted: np.ndarray, log: dict) -> pd.DataFrame:
    """Return what was injected: cause, table, key, months and quantity."""
    hidden = wanted - log["ordered"] - returned()
    rows = [("stock-out hides demand", "sales", f"product={p}", a, b, hidden[:, CODE[p]].sum()) for p, a, b, _ in STOCK_OUTS]
    rows += [("intermittent demand", "sales", f"product={p}", "2020-11", "2026-10", 0.32) for p in PRODUCTS.loc[pick("Spares"), "product"]]
    rows += [("promotion", "events", f"event={e.event}", e.from_month[:7], e.to_month[:7], e.uplift_units if e.uplift_rate != e.uplift_rate else e.uplift_rate) for e in EVENTS.itertuples()]
    rows += [("returns", "sales", f"product={p} · region={r}", m, m, -q) for p, m, r, q in RETURNS]
    rows += [("launch", "products", f"product={p}", begin, begin, None) for p, (begin, _) in LIFE.items() if begin]
    rows += [("phase-out with successor", "products", f"product={p}", LIFE[p][1], LIFE[p][1], None) for p in SUCCESSOR]
    rows += [
        ("level shift", "sales", f"product={LEVEL_SHIFT[0]}", LEVEL_SHIFT[1], LEVEL_SHIFT[1], LEVEL_SHIFT[2] - 1),
        ("drifts below budget", "budget", f"family={DRIFT[0]}", DRIFT[1], "2026-10", DRIFT[2]),
        ("always optimistic", "past_plans", "stream=sales", "2025-11", "2026-10", OPTIMISM),
        ("capacity cut", "resources", f"resource={OVERHAUL[0]}", OVERHAUL[1], OVERHAUL[2], OVERHAUL[3] - 1),
        ("late leg", "shipments", "leg=dc-customer · to=East", "2025-11", "2026-10", LATE_EAST),
        ("stock does not roll forward", "inventory", f"product={UNEXPLAINED[0]}", UNEXPLAINED[1], UNEXPLAINED[1], UNEXPLAINED[2]),
        ("ledger differs", "finance", f"line={LEDGER_SLIP[1]}", LEDGER_SLIP[0], LEDGER_SLIP[0], LEDGER_SLIP[2]),
        ("control total differs", "control_totals", f"measure={CONTROL_SLIP[1]}", CONTROL_SLIP[0], CONTROL_SLIP[0], CONTROL_SLIP[2]),
    ]
    return pd.DataFrame(rows, columns=["cause", "table", "key", "from_month", "to_month", "quantity"])


def company() -> dict[str, pd.DataFrame]:
    """Return every table of the sample company by name, and its truth."""
    rng = np.random.default_rng(SEED)
    mean, degrees = expected_demand(rng), warmth(rng)
    wanted = wanted_demand(mean, degrees, rng)
    log = run_factory(mean.sum(axis=2), wanted, rng)
    sold, plan = sales(log), budget(log)
    tables = {name: small(name) for name in SMALL}
    tables |= {f.__name__: f() for f in (products, families, units, prices, resources, bill_of_resources, supply_costs, material_receipts, calendar)}
    tables |= {f.__name__: f(log) for f in (inventory, receipts, backlog, plants)}
    tables |= {"sales": sold, "budget": plan, "finance": finance(sold, plan), "control_totals": control_totals(sold), "events": EVENTS}
    tables |= {"planned_production": planned_production(mean.sum(axis=2)), "drivers": drivers(degrees), "past_plans": past_plans(log, rng)}
    return tables | {"demand_inputs": demand_inputs(log, plan, rng), "shipments": shipments(log, rng), "truth": truth(wanted, log)}


def main(folder: Path) -> None:
    """Write the sample company into a folder."""
    (folder / "inputs").mkdir(parents=True, exist_ok=True)
    for name, table in company().items():
        path = folder / ("truth.csv" if name == "truth" else f"inputs/{name}.csv")
        path.write_bytes(table.to_csv(index=False, lineterminator="\n").encode("utf-8"))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "sample")
