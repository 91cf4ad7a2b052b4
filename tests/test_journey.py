"""A planner's way in a real browser: open the workbench, change three months, find them again, see them in the pack."""

import contextlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import write_small_workbook

from sop_lib import archive, lab, planbook, publish, run, settings, steps

api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = Path("/usr/bin/chromium")
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="no chromium in /usr/bin")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
SOP = [sys.executable, "-c", "from sop_lib import cli; cli.app()"]
PROMPTS = "[...document.querySelectorAll('.jp-InputPrompt')].map(p => p.textContent)"
WAIT = 120_000  # milliseconds a loaded machine may need for one step


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    """Return a small company whose cycle 2026-11 has its data and forecast."""
    given = settings.load(write_small_workbook(tmp_path_factory.mktemp("journey") / "acme"), {})
    for step in steps.STEPS[:2]:
        notebook = steps.notebooks_folder() / f"{step}.ipynb"
        steps.run_step(notebook, {"cycle": "2026-11"}, given.folder / "failed", run.environment(given))
    return given


@contextlib.contextmanager
def opened_lab(folder: Path, scratch: Path):
    """Run `sop lab` with settings of its own and give the address that it says."""
    own = {"BROWSER": "/bin/true", "PYTHONUNBUFFERED": "1", "SOP_DATABASE_URL": ""}
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR"):
        own[name] = str(scratch / name)
    own |= {"JUPYTERLAB_SETTINGS_DIR": str(scratch / "settings"), "JUPYTERLAB_WORKSPACES_DIR": str(scratch / "spaces")}
    whole = scratch / "settings" / "@jupyterlab" / "notebook-extension" / "tracker.jupyterlab-settings"
    whole.parent.mkdir(parents=True)
    whole.write_text('{"windowingMode": "none"}', encoding="utf-8")  # cells out of sight stay in the page
    said = (scratch / "said").open("w+")
    server = subprocess.Popen([*SOP, "lab", str(folder)], env=os.environ | own, stdout=subprocess.PIPE, stderr=said,
                              text=True, start_new_session=True)  # fmt: skip
    try:
        yield next(re.search(r"http://\S+", line)[0] for line in server.stdout if "http://" in line)
    finally:
        os.killpg(server.pid, 15)
        server.wait(30)


@pytest.fixture
def lab_page(company, tmp_path):
    """Return the workbench in a browser, opened at the address that `sop lab` says."""
    with opened_lab(company.folder, tmp_path) as address, api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=QUIET)
        view = browser.new_page(viewport={"width": 1400, "height": 1500})
        view.set_default_timeout(WAIT)
        asked = []
        view.on("request", lambda r: asked.append(r.url))
        arrive(view, address)
        yield view
        outside = [url for url in asked if not re.match(r"(http|ws)://127\.0\.0\.1:|data:|blob:", url)]
        browser.close()
        assert not outside


def arrive(view, address):
    """Open the address, again while the server is still starting."""
    for _ in range(60):
        try:
            view.goto(address, wait_until="domcontentloaded")
            break
        except api.Error as refused:
            if not re.search("ERR_CONNECTION|interrupted by another navigation", str(refused)):
                raise
            view.wait_for_timeout(1000)
    view.wait_for_selector(".jp-NotebookPanel .jp-Cell")
    view.wait_for_selector('.jp-NotebookPanel [data-status="idle"]')


def choose(view, menu, entry, **within):
    view.click(f'.lm-MenuBar-item:has-text("{menu}") >> nth=0', **within)
    view.click(f'.lm-Menu-item:has-text("{entry}") >> nth=0', **within)


def run_all(view):
    """Run all cells and wait for the workbench; as a person would, again while a loaded machine has not shown it."""
    for attempt in range(12):
        with contextlib.suppress(api.TimeoutError):
            for answer in view.locator(".jp-Dialog .jp-mod-accept").all():
                answer.click(timeout=4000)
            view.click(".jp-NotebookPanel .jp-Cell >> nth=0", timeout=4000)
            choose(view, "Run", "Run All Cells", timeout=4000)
            view.wait_for_function(f"{PROMPTS}.some(text => /[*]|[0-9]/.test(text))", timeout=4000)
            view.wait_for_selector('.widget-dropdown:has-text("Family") select', timeout=WAIT / 2)
            view.wait_for_function(f"!{PROMPTS}.some(text => text.includes('*'))", timeout=WAIT / 2)
            return
        print(f"attempt {attempt}: prompts {view.evaluate(PROMPTS)}; the page says:", *shown(view), sep="\n  ")
    raise AssertionError("the workbench did not appear; what the page showed is printed above")


def shown(view):
    """Return what the outputs, dialogs and notices of the page say, for whoever reads a failed run."""
    return view.locator(".jp-OutputArea-output, .jp-Dialog, .jp-toast-message").all_inner_texts()


def field(view, label):
    return view.get_by_label(label, exact=True)


def picture(view):
    return view.locator(".widget-html figure img").first.get_attribute("src")


def changed(view, before):
    view.wait_for_function("old => document.querySelector('.widget-html figure img').src !== old", arg=before)


def look_at(view, **members):
    """Choose members in the dropdowns, each redrawing the picture."""
    for name, member in members.items():
        before = picture(view)
        field(view, name.capitalize()).select_option(label=member)
        changed(view, before)


def test_a_planner_changes_three_months_finds_them_again_and_sees_them_in_the_pack(company, lab_page):
    view, packaged = lab_page, steps.notebooks_folder() / lab.WORKBENCH
    text = packaged.read_bytes()
    run_all(view)
    look_at(view, product="A1", region="North")
    typed = {"Dec 26": "150", "Jan 27": "160", "Mar 27": "170"}
    for label, number in typed.items():
        field(view, label).fill(number)
    view.get_by_role("button", name="Save", exact=True).click()
    view.wait_for_selector("text=no reason: write why the plan changes")
    assert not (company.folder / "planbook.db").exists()
    field(view, "Author").fill("demand planner")
    field(view, "Reason").fill("a new <account> opens")
    view.get_by_role("button", name="Save", exact=True).click()
    view.wait_for_selector("text=Saved; the next sop run takes it up.")
    kept = planbook.current(planbook.open_book(planbook.book_url(company, {}), readonly=True), "overrides")
    assert kept["value"].tolist() == [150, 160, 170]

    choose(view, "Kernel", "Restart Kernel and Clear")
    view.click('.jp-Dialog button:has-text("Restart")')
    view.wait_for_selector('.jp-NotebookPanel [data-status="idle"]')
    run_all(view)
    look_at(view, product="A1", region="North")
    for label, number in typed.items():
        api.expect(field(view, label)).to_have_value(number, timeout=WAIT)
    assert packaged.read_bytes() == text

    done = subprocess.run([*SOP, "run", str(company.folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    book = archive.open_cycle(company)
    rows = book.read("demand_plan").query("step == 'override'")
    assert sorted(rows["item"]) == sorted(kept["id"])
    assert set(rows["author"]) == {"demand planner"}
    plan = book.read("demand_plan").query("product == 'A1' and region == 'North'").groupby("month")["quantity"].sum()
    assert plan[kept["from_month"]].tolist() == pytest.approx([150, 160, 170])
    pack = publish.pack_folder(book)
    shown = (pack / publish.pack_manifest(book)["version"] / "02_forecast.html").read_text(encoding="utf-8")
    assert shown.count("a new &lt;account&gt; opens") >= 3
    assert "a new &lt;account&gt; opens" in (pack / "index.html").read_text(encoding="utf-8")
    sources = book.manifest()["sources"]
    assert "overrides" not in run.outdated(book, sources)["02_forecast"]
    one = kept.iloc[0]
    more = {"cycle": one["cycle"], "product": "A2", "from_month": "2027-01", "to_month": "2027-01", "kind": "delta"}
    signed = {"author": "sales", "at": one["recorded_at"], "reason": "a fair"}
    planbook.record(
        planbook.open_book(planbook.book_url(company, {})), "overrides", "one more", more | {"value": 5}, **signed
    )
    assert "overrides" in run.outdated(book, sources)["02_forecast"]
