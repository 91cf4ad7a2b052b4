"""What is given of Alder Outdoor, an invented company: its lists, small tables, and the dates of its injected problems.

Only `make_sample.py` reads this. No such firm, person or figure exists.
"""

from io import StringIO

import pandas as pd


def listed(text: str) -> pd.DataFrame:
    """Return a table written as CSV."""
    return pd.read_csv(StringIO(text))


SEED = 20261101
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
# units: a year at the pace of 2026; growth: a year; cover: months of stock aimed at; warmth: demand per degree;
# cost_rate: of the price; late_rate: what a unit late costs a month, of the price; hours: of people per unit
FAMILIES = listed("""family,units,growth,cover,warmth,cost_rate,late_rate,hours,tolerance,owner
Barbecues,96000,0.045,1.0,0.02,0.60,0.05,1.60,0.15,Product manager grilling
Furniture,110000,0.02,1.0,0.01,0.58,0.05,1.30,0.15,Product manager furniture
Heaters,60000,0.03,1.0,-0.03,0.61,0.06,1.30,0.15,Product manager heating
Parasols,90000,0.01,1.0,0.03,0.55,0.05,0.70,0.20,Product manager shade
Lighting,160000,0.0,1.0,0.0,0.57,0.05,0.35,0.15,Product manager lighting
Covers,120000,0.025,1.0,0.0,0.52,0.05,0.25,0.15,Product manager accessories
Spares,8000,0.0,4.0,0.0,0.45,0.10,0.20,0.30,Service manager
""")
PRODUCTS = listed("""product,description,price,weight,plant,press,paint,assembly
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
""")
PRODUCTS["family"] = PRODUCTS["product"].str[:3].map({f[:3].upper(): f for f in SEASON} | {"BBQ": "Barbecues"})
P, R = len(PRODUCTS), len(REGIONS)
CODE = {code: i for i, code in enumerate(PRODUCTS["product"])}
FAM = FAMILIES.set_index("family").loc[PRODUCTS["family"]].reset_index()
# resource: plant, column of hours per unit in PRODUCTS, hours a working day, overtime as a rate
RESOURCES = {
    "press line": ("Tarn", "press", 205, 0.12),
    "paint shop": ("Tarn", "paint", 150, 0.15),
    "assembly": ("Brek", "assembly", 290, 0.15),
}
LIFE = {"FUR-09": ("2025-06", ""), "HEA-02": ("", "2026-04"), "HEA-06": ("2026-05", ""), "BBQ-08": ("2027-01", "")}
SUCCESSOR = {"HEA-02": "HEA-06"}
EVENTS = listed("""event,kind,product,family,region,from_month,to_month,uplift_rate,uplift_units,probability,spend,owner
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
""")
# supply cut to a share: customers could not order, so `ordered` hides what they wanted
STOCK_OUTS = [
    ("BBQ-03", "2025-04", "2025-07", 0.30),
    ("PAR-02", "2026-05", "2026-07", 0.25),
    ("LIG-04", "2025-10", "2025-12", 0.15),
]
INTERMITTENT = 0.2  # share of months in which a region wants a spare
LEVEL_SHIFT = ("COV-03", "2025-03", 1.45)
DRIFT = ("Lighting", "2025-06", -0.10)
OVERHAUL = ("press line", "2027-01", "2027-05", 0.31)
UNEXPLAINED = ("FUR-02", "2026-04", -240)
RETURNS = [
    ("HEA-02", "2026-06", "West", 14),
    ("HEA-02", "2026-07", "North", 9),
    ("SPA-02", "2026-05", "South", 6),
    ("SPA-03", "2026-03", "East", 4),
    ("FUR-09", "2026-01", "East", 3),
]
OPTIMISM = 0.12
LATE_EAST, LATE_ELSEWHERE = 0.35, 0.03
SUBCONTRACT = {"Barbecues": 900, "Furniture": 900}  # units a month
LEDGER_SLIP = ("revenue", "2026-03", 84000.0)
CONTROL_SLIP = ("shipped", "2026-08", -1250)


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
Sheet steel,430000,420000,4,1.1
Gas valve,22000,24000,3,9.5
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
on_time_in_full,,2026,0.9,Logistics manager,fill_rate
stock_out_rate,,2026,0.02,Supply planner,fill_rate
forecast_wape,,2026,0.07,Demand planner,fill_rate
forecast_bias,,2026,0,Demand planner,forecast_wape
plan_attainment,,2026,1,Plant manager Tarn,fill_rate
schedule_adherence,,2026,0.95,Plant manager Tarn,plan_attainment
cover_days,,2026,38,Supply planner,inventory_turns
inventory_turns,,2026,9,Finance manager,
revenue_to_budget,,2026,1,Sales director,
margin_to_budget,,2026,1,Finance manager,revenue_to_budget
gross_margin,,2026,0.41,Finance manager,margin_to_budget
fill_rate,,2027,0.97,Supply chain manager,
on_time_in_full,,2027,0.92,Logistics manager,fill_rate
stock_out_rate,,2027,0.02,Supply planner,fill_rate
forecast_wape,,2027,0.065,Demand planner,fill_rate
forecast_bias,,2027,0,Demand planner,forecast_wape
plan_attainment,,2027,1,Plant manager Tarn,fill_rate
schedule_adherence,,2027,0.95,Plant manager Tarn,plan_attainment
cover_days,,2027,36,Supply planner,inventory_turns
inventory_turns,,2027,10,Finance manager,
revenue_to_budget,,2027,1,Sales director,
margin_to_budget,,2027,1,Finance manager,revenue_to_budget
gross_margin,,2027,0.42,Finance manager,margin_to_budget
""",
    "launches": """product,region,launch_month,like_product,volume_year_1,low,high,cannibalises,cannibalised
BBQ-08,,2027-01-01,BBQ-03,7600,5200,10400,BBQ-03,0.25
FUR-09,,2025-06-01,FUR-07,6200,4000,8600,,
HEA-06,,2026-05-01,HEA-02,11500,9500,13500,HEA-02,
""",
    "engineering_changes": """change,product,effective_month,successor,resource_hours
EC-101,HEA-02,2026-05-01,HEA-06,60
EC-114,BBQ-04,2027-02-01,,120
EC-117,PAR-03,2027-09-01,,40
""",
    "initiatives": """initiative,owner,from_month,spend,benefit,hurdle_roi,objective
Press line overhaul,Plant manager Tarn,2027-01-01,1450000,2300000,0.25,Two of three presses are rebuilt by May 2027
Second carrier East,Logistics manager,2026-09-01,180000,260000,0.2,On time in full in East at 0.92
Stock visibility for shops,Sales director,2025-03-01,240000,300000,0.15,Fewer lost sales in stock-outs
Lighting range renewal,Product manager lighting,2027-02-01,600000,980000,0.3,Stop the fall of Lighting
""",
}
BUDGET_WISH = {
    "Barbecues": 0.05,
    "Furniture": 0.03,
    "Heaters": 0.03,
    "Parasols": 0.02,
    "Lighting": 0.03,
    "Covers": 0.03,
    "Spares": 0.0,
}


def small(name: str) -> pd.DataFrame:
    """Return one of the tables written by hand above, as text."""
    return pd.read_csv(StringIO(SMALL[name]), dtype=str, keep_default_na=False)
