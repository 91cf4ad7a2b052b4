"""`sop.toml` as a typed object: defaults, folders, and every mistake in one message."""

import pytest

from sop_lib import settings

PLAIN = '[inputs.sales]\nfile = "sales.csv"\n'


def load(folder, text, **environment):
    (folder / "sop.toml").write_text(text, encoding="utf-8")
    return settings.load(folder, environment)


def test_an_empty_file_gives_the_defaults_and_names_them(tmp_path):
    read = load(tmp_path, "")
    assert read.defaults_used() == {
        "horizon_months": 24, "decision_lag": 2, "service_level": 0.95, "safety_rule": "fill rate",
        "fiscal_year_start": 1,
        "consensus_rule": "weighted", "hierarchy": ("product", "region"),
        "strategies": ("level", "chase", "mixed", "minimum"), "objective": "least cost",
        "customer_weights": {}, "models": "best", "reconciliation": "best", "engine_lost": "fail",
    }  # fmt: skip
    assert "horizon_months" not in load(tmp_path, "[planning]\nhorizon_months = 24\n").defaults_used()


def test_folders_are_relative_to_the_file_and_replaced_by_the_environment(tmp_path):
    text = '[folders]\nreports = "../out"\n'
    assert load(tmp_path, text).reports_folder == tmp_path.parent / "out"
    assert load(tmp_path, text).plans_folder == tmp_path / "plans"
    assert load(tmp_path, text, SOP_REPORTS=str(tmp_path / "r")).reports_folder == tmp_path / "r"


def test_the_workbook_is_the_one_the_environment_names(tmp_path):
    (tmp_path / "sop.toml").write_text('[company]\nname = "Acme"\n', encoding="utf-8")
    assert settings.load(environment={"SOP_WORKBOOK": str(tmp_path)}).company.name == "Acme"


def test_a_byte_order_mark_is_no_mistake(tmp_path):
    assert load(tmp_path, "\ufeff" + PLAIN).inputs["sales"].file == "sales.csv"


MISTAKES = [
    ("[planing]\n", "'planing' is not a setting; did you mean 'planning'?"),
    ("[planning]\nhorizon = 24\n", "'planning.horizon' is not a setting; did you mean 'horizon_months'?"),
    ("[planning]\nservice_level = 95\n", "planning.service_level = 95"),
    ("[planning]\nservice_level = 1\n", "planning.service_level = 1: Input should be less than 1"),
    ("[planning]\nservice_level = 0\n", "planning.service_level = 0: Input should be greater than 0"),
    ("[planning]\nsafety_rule = 'best'\n", "Input should be 'fill rate' or 'cycle service'"),
    ("[planning]\nfiscal_year_start = 13\n", "planning.fiscal_year_start = 13"),
    ("[folders]\nplan = 'x'\n", "did you mean 'plans'?"),
    ("plans_folder = 'x'\n", "use [folders]"),
    ("[inputs.sale]\nfile = 'x'\n", "'sale' is no input table; did you mean 'sales'?"),
    ("[inputs.gap]\nfile = 'x'\n", "'gap' is no input table"),
    ("[inputs.sales]\nflie = 'x'\n", "'inputs.sales.flie' is not a setting; did you mean 'file'?"),
    (
        "[inputs.sales]\nfile = 'x'\ncolumns = {regoin = 'y'}\n",
        "'regoin' is no column of 'sales'; did you mean 'region'?",
    ),
    ("[inputs.sales]\n", "[inputs.sales] give either file or sql"),
    ("[inputs.sales]\nfile = 'x'\nsql = 'y'\n", "[inputs.sales] give either file or sql"),
    ("[inputs.sales]\nsql = 'y'\n", "[inputs.sales] sql needs either files or database_env"),
    ("[inputs.sales]\nfile = 'x'\nseparator = ';;'\n", "inputs.sales.separator"),
    ("inputs.sales = 'x.csv'\n", "write it as a section [inputs.sales]"),
    ("[company\n", "not readable as TOML"),
]


@pytest.mark.parametrize(("text", "message"), MISTAKES)
def test_a_mistake_is_named(tmp_path, text, message):
    with pytest.raises(settings.SettingsError) as error:
        load(tmp_path, text)
    assert message in str(error.value)
    assert "sop.toml" in str(error.value)


def test_all_mistakes_come_at_once(tmp_path):
    text = "[planing]\n[planning]\ndecision_lag = 0\n[inputs.sale]\nfile = 'x'\n[inputs.sales]\nflie = 'x'\n"
    with pytest.raises(settings.SettingsError) as error:
        load(tmp_path, text)
    for word in ("planing", "decision_lag", "'sale'", "flie"):
        assert word in str(error.value)


def test_no_file(tmp_path):
    with pytest.raises(settings.SettingsError, match="a workbook folder has one"):
        settings.load(tmp_path, {})
    (tmp_path / "sop.toml").mkdir()
    with pytest.raises(settings.SettingsError, match="cannot be read"):
        settings.load(tmp_path, {})
