"""The whole way, from a company's files to its pack: on the sample, on the least a company can give, on a real one."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from conftest import SAMPLE

from sop_lib import approved, archive, inputs, publish, run, settings, steps, supply_review, tables

REPO = Path(__file__).parent.parent
GOLDEN = REPO / "tests" / "golden" / "tables.csv"
IOWA = REPO.parent / "shared" / "data" / "iowa_liquor"
CHROMIUM = Path("/usr/bin/chromium")


def plan_tables(book: archive.Cycle) -> list[str]:
    return [name for name in book.manifest()["tables"] if "/" not in name]  # frozen inputs and records lie in folders


def bytes_of(folder: Path) -> dict[str, bytes]:
    found = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.name not in (".lock", "run.json")]
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in found}


def told(book: archive.Cycle) -> dict:
    (clock,) = publish.pack_folder(book).glob("*/run.json")
    return json.loads(clock.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def meanwhile(tmp_path_factory):
    """Start the runs that need no watching, and return each with its folder: they use the other core."""
    twin, real = tmp_path_factory.mktemp("ein anderer Ordner"), tmp_path_factory.mktemp("iowa")
    shutil.copytree(SAMPLE, twin / "firma", ignore=shutil.ignore_patterns("plans", "planbook.db*"))
    other = {"LC_ALL": "C", "LANG": "C", "TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "2"}
    begun = {"twin": (sop(twin, other, "run", "firma", "--reports", "packs"), twin)}
    if IOWA.exists():
        own = ("--cycle", "2020-11", "--inputs", str(IOWA), "--plans", "plans", "--reports", "reports")
        begun["iowa"] = (sop(real, {}, "run", str(REPO / "data" / "iowa_liquor"), *own), real)
    yield begun
    for process, _ in begun.values():
        process.terminate()
        process.communicate()


def sop(place: Path, environment: dict[str, str], *words: str) -> subprocess.Popen:
    command = [sys.executable, "-c", "from sop_lib import cli; cli.app()", *words]
    pipe, env = subprocess.PIPE, os.environ | environment
    return subprocess.Popen(command, cwd=place, env=env, stdout=pipe, stderr=pipe, text=True, encoding="utf-8")


def ended(process: subprocess.Popen) -> list[str]:
    """Return the lines that a run printed, when it has ended well."""
    out, err = process.communicate(timeout=900)
    assert process.returncode == 0, err
    return out.splitlines()


# The sample


def test_the_sample_is_published_whole_and_current(meanwhile, sample_run):
    assert publish.is_whole(sample_run)
    now = inputs.read_inputs(sample_run.settings).sources
    assert not any(run.outdated(sample_run, now).values())


def test_every_plan_table_is_written_by_one_step(sample_run):
    writers = [t for ran in sample_run.manifest()["steps"].values() for t in ran["tables"] if "/" not in t]
    assert len(writers) == len(set(writers))
    defined = {t.name for t in tables.tables().values() if t.group == "plan"}
    assert set(plan_tables(sample_run)) <= defined


def test_no_notebook_warns(sample_run):
    assert not [words for warned in told(sample_run)["warnings"].values() for words in warned]


def test_demand_goes_from_the_plan_into_the_gap_unchanged(sample_run):
    plan = sample_run.read("demand_plan").merge(
        sample_run.read("products")[["product"]], on="product", how="inner", validate="many_to_one"
    )
    planned = plan.groupby(["month", "family", "region"])["quantity"].sum()
    gap = sample_run.read("gap").set_index(["month", "family", "region"])
    assert np.allclose(planned.reindex(gap.index, fill_value=0), gap["demand"], atol=1e-4)
    assert np.allclose(gap["supply"] - gap["demand"], gap["gap"], atol=1e-4)


def test_history_holds_every_unit_that_was_ordered(sample_run):
    ordered = sample_run.read("sales").groupby("month")["ordered"].sum()
    history = sample_run.read("history").groupby("month")["raw"].sum()
    assert np.allclose(history.reindex(ordered.index), ordered)


def test_stock_rolls_forward_in_every_strategy(sample_run):
    rows = sample_run.read("inventory_plan")
    assert np.allclose(rows["opening"] + rows["supply"] - rows["shipped"], rows["closing"], atol=1e-3)


def test_the_planted_cut_of_capacity_is_found(sample_run):
    truth = pd.read_csv(SAMPLE / "truth.csv")
    cut = truth[truth["cause"] == "capacity cut"].iloc[0]
    began, ended = pd.Timestamp(cut["from_month"]), pd.Timestamp(cut["to_month"])
    names = ("resource_load", "inventory_plan", "shadow_prices")
    plan = {name: approved.proposed(sample_run.read(name), sample_run.read("scenario_comparison")) for name in names}
    first = supply_review.first_overload(plan["resource_load"]).iloc[0]
    assert (f"resource={first['resource']}", first["month"]) == (cut["key"], began)
    load = plan["resource_load"]
    over = load[load["unconstrained"] > load["capacity"] + load["overtime"]]
    of_it = over.loc[over["resource"] == first["resource"], "month"]
    assert set(pd.date_range(began, ended, freq="MS")) <= set(of_it)
    short = supply_review.shortages(plan["inventory_plan"])
    assert short["month"].min() >= began  # nobody waits before the cut
    dear = supply_review.dearest_limits(plan["shadow_prices"], len(pd.date_range(began, ended, freq="MS")))
    assert dear["month"].between(began, ended).all()
    assert dear["subject"].str.endswith(first["resource"]).all()


def totals(book: archive.Cycle) -> pd.DataFrame:
    """Return rows, blanks and sum of every number of every plan table, to 6 significant digits."""
    rows = []
    for name in plan_tables(book):
        table = book.read(name)
        for column in table.select_dtypes("number"):
            numbers = table[column]
            row = {"table": name, "column": column, "rows": len(table), "blank": int(numbers.isna().sum())}
            rows.append(row | {"sum": float(f"{numbers.sum():.6g}")})
    return pd.DataFrame(rows).sort_values(["table", "column"], ignore_index=True)


def test_the_tables_of_the_sample_are_the_ones_that_were_reviewed(sample_run, request):
    now = totals(sample_run)
    if request.config.getoption("--refresh-golden"):
        GOLDEN.parent.mkdir(exist_ok=True)
        now.to_csv(GOLDEN, index=False, lineterminator="\n")
    reviewed = pd.read_csv(GOLDEN)
    both = reviewed.merge(now, on=["table", "column"], how="outer", suffixes=("_reviewed", "_now"), validate="1:1")
    same = np.isclose(both["sum_reviewed"], both["sum_now"], rtol=1e-4, atol=1e-6)
    same &= (both["rows_reviewed"] == both["rows_now"]) & (both["blank_reviewed"] == both["blank_now"])
    assert same.all(), f"if this is meant: make golden, and read the difference\n{both[~same].to_string()}"


def test_another_folder_locale_and_clock_give_the_same_bytes(meanwhile, sample_run):
    process, place = meanwhile["twin"]
    assert ended(process)[-1] == os.path.join("packs", "2026-11", "index.html")
    for one, same in ((sample_run.settings.plans_folder, place / "firma" / "plans"),
                      (sample_run.settings.reports_folder, place / "packs")):  # fmt: skip
        before, after = bytes_of(one), bytes_of(same)
        assert set(before) == set(after)
        assert not [name for name in before if before[name] != after[name]]


def test_no_page_shows_code_or_a_place_of_this_machine(sample_run):
    pages = [*publish.pack_folder(sample_run).rglob("*.html"), *publish.pack_folder(sample_run).rglob("*.ipynb")]
    assert len(pages) == 11
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert str(REPO) not in text
        assert str(sample_run.settings.plans_folder.parent) not in text
        assert not re.search(r"\.part/|/sop-\w{8}", text), page
        if page.suffix == ".html":
            assert "book.read(" not in text
            assert "Content-Security-Policy" in text
            assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//|url\(\s*[\"']?http|<script", text), page


@pytest.mark.skipif(not CHROMIUM.exists(), reason="no chromium in /usr/bin")
def test_every_page_opens_from_disk_without_a_request_or_an_error(sample_run):
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    pages = sorted(publish.pack_folder(sample_run).rglob("*.html"))
    asked, said = [], []
    with api.sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"])
        for width in (1100, 390):
            view = browser.new_page(viewport={"width": width, "height": 900})
            view.on("request", lambda r: asked.append(r.url) if not r.url.startswith(("file:", "data:")) else None)
            view.on("console", lambda message: said.append(message.text))
            for page in pages:
                view.goto(page.as_uri())
                wide = view.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                assert wide <= 0, f"{page.name} is {wide} px wider than a screen of {width}"
        browser.close()
    assert (asked, said) == ([], [])


# The least a company can give


def test_the_notebooks_run_by_themselves_for_a_company_with_products_and_sales_only(small_workbook, tmp_path):
    sales = small_workbook / "inputs" / "sales.csv"
    rows = pd.read_csv(sales)
    rows["ordered"] += rows["month"].str[-2:].astype(int) * 7 + rows["product"].str[-1].astype(int)
    rows.to_csv(sales, index=False)
    own = {"SOP_WORKBOOK": str(small_workbook), "SOP_PLANS": str(tmp_path / "plans")}
    names = [str(REPO / "notebooks" / f"{step}.ipynb") for step in steps.STEPS]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval-lax", *names]
    done = subprocess.run(command, cwd=REPO, env=os.environ | own, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:]
    cells = sum(c.cell_type == "code" for name in names for c in nbformat.read(name, as_version=4).cells)
    assert f"{cells} passed" in done.stdout
    book = archive.open_cycle(settings.load(small_workbook, own))
    assert (book.name, book.has("demand_plan"), book.has("gap")) == ("2026-11", True, True)


@pytest.mark.parametrize(
    ("first", "products"),
    [("2023-11", ["A1", "A2", "B1"]), ("2026-04", ["A1"]), ("2026-10", ["A1"])],
    ids=["sales that never change", "one series of seven months", "one month"],
)
def test_a_poor_history_is_counted_and_planned_all_the_same(small_workbook, first, products):
    for name in ("sales", "products"):
        rows = pd.read_csv(small_workbook / "inputs" / f"{name}.csv")
        rows = rows[rows["product"].isin(products)]
        rows = rows[rows["month"] >= first] if name == "sales" else rows
        rows.to_csv(small_workbook / "inputs" / f"{name}.csv", index=False)
    company = settings.load(small_workbook, {})
    done = run.run_cycle(company, notebooks=REPO / "notebooks")
    plan = archive.open_cycle(company).read("demand_plan")
    assert done.index.exists()
    assert (plan["quantity"].groupby(plan["month"]).sum() > 0).all()


# A real wholesaler


@pytest.fixture(scope="module")
def iowa(meanwhile):
    if "iowa" not in meanwhile:
        pytest.skip("the wholesaler's files are not beside the repository, in ../shared")
    process, place = meanwhile["iowa"]
    ended(process)
    folders = {"SOP_PLANS": str(place / "plans"), "SOP_REPORTS": str(place / "reports")}
    return archive.open_cycle(settings.load(REPO / "data" / "iowa_liquor", folders))


def test_a_real_wholesaler_is_planned_by_settings_alone(iowa):
    assert publish.is_whole(iowa)
    assert not iowa.has("supply_plan")
    assert not [words for warned in told(iowa)["warnings"].values() for words in warned]


def test_the_oddities_of_the_wholesaler_are_among_the_data_issues(iowa):
    found = iowa.read("data_issues").groupby("rule")["subject"].agg(" ".join)
    assert "2016-08" in found["product_recode"]
    assert "2016-08" in found["margin_out_of_line"]
    assert "(category missing)" in found["name_not_known"]
    assert "2020-0" in found["level_step"]


def test_the_forecast_of_the_wholesaler_is_better_than_last_years_month(iowa):
    scores = iowa.read("accuracy").query("level == 'total' and metric == 'wape' and series == 'ALL'")
    by_model = scores.groupby("model")["value"].mean()
    assert by_model["combination"] < by_model["seasonal_naive"]
