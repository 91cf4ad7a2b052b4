"""A company's `sop.toml` as a typed object; a key that does not exist is refused with the nearest name."""

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sop_lib import tables

__all__ = ["Settings", "SettingsError", "Source", "load"]


class SettingsError(ValueError):
    """`sop.toml` cannot be used; the message lists every problem."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Company(_Strict):
    """Who plans."""

    name: str = "Company"
    note: str = ""
    currency: str = "EUR"


class Planning(_Strict):
    """How the company plans."""

    horizon_months: int = Field(default=24, ge=1, le=60)
    decision_lag: int = Field(default=2, ge=1, le=12)
    service_level: float = Field(default=0.95, gt=0, lt=1)
    safety_rule: Literal["fill rate", "cycle service"] = "fill rate"
    fiscal_year_start: int = Field(default=1, ge=1, le=12)
    consensus_rule: Literal["weighted", "mean", "statistical"] = "weighted"
    hierarchy: tuple[Literal["family", "product", "region"], ...] = ("product", "region")
    models: Literal["best", "fast"] = "best"
    reconciliation: Literal["best", "bottom-up", "top-down", "middle-out", "mint"] = "best"
    strategies: tuple[Literal["level", "chase", "mixed", "minimum"], ...] = ("level", "chase", "mixed", "minimum")
    objective: Literal["least cost", "service first"] = "least cost"
    customer_weights: dict[str, Annotated[float, Field(gt=0)]] = {}
    engine_lost: Literal["fail", "local"] = "fail"


class Folders(_Strict):
    """Where things lie, relative to `sop.toml`."""

    inputs: str = "inputs"
    plans: str = "plans"
    reports: str = "reports"


class Source(_Strict):
    """Where one input table comes from: a file with its columns, or SQL over files or a database."""

    file: str = ""
    columns: dict[str, str] = {}
    where: str = ""
    sheet: str = ""
    separator: str = Field(default=",", min_length=1, max_length=1)
    decimal: Literal[".", ","] = "."
    thousands: str = Field(default="", max_length=1)
    encoding: str = "utf-8"
    date_format: str = ""
    sql: str = ""
    files: tuple[str, ...] = ()
    database_env: str = ""

    @model_validator(mode="after")
    def one_place(self) -> "Source":
        """Refuse a source that names no place to read from, or two."""
        if bool(self.file) == bool(self.sql):
            raise ValueError("give either file or sql")
        if self.sql and bool(self.files) == bool(self.database_env):
            raise ValueError("sql needs either files or database_env")
        return self


class Settings(_Strict):
    """All settings of a workbook folder; `inputs_folder`, `plans_folder`, `reports_folder` are resolved paths.

    `results_folder` is where results of models are kept, `engine` the URL of the cluster they run on, if any.
    """

    company: Company = Company()
    planning: Planning = Planning()
    folders: Folders = Folders()
    inputs: dict[str, Source] = {}
    folder: Path = Path(".")
    inputs_folder: Path = Path("inputs")
    plans_folder: Path = Path("plans")
    reports_folder: Path = Path("reports")
    results_folder: Path = Path("plans/.results")
    engine: str = ""

    def defaults_used(self) -> dict[str, object]:
        """Return the planning settings that `sop.toml` leaves to their default, by name."""
        return {n: getattr(self.planning, n) for n in Planning.model_fields if n not in self.planning.model_fields_set}


def _nearest(word: str, known: list[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean '{near[0]}'?" if near else f"; known: {', '.join(sorted(known))}"


def _unknown_names(inputs: object) -> list[str]:
    """Return a sentence for each table and each column under `inputs` that no definition names."""
    known = {t.name: t.names for t in tables.tables().values() if t.group == "input"}
    found = []
    for name, source in inputs.items() if isinstance(inputs, dict) else ():
        if name not in known:
            found.append(f"sop.toml: '{name}' is no input table{_nearest(name, list(known))}")
            continue
        columns = source.get("columns") if isinstance(source, dict) else None
        wrong = [ours for ours in columns if ours not in known[name]] if isinstance(columns, dict) else []
        found += [f"sop.toml: '{ours}' is no column of '{name}'{_nearest(ours, known[name])}" for ours in wrong]
    return found


def _sentence(error: Mapping) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        sections: dict[str, type[BaseModel]] = {
            "company": Company,
            "planning": Planning,
            "folders": Folders,
            "inputs": Source,
        }
        above = error["loc"][:-1]
        known = list(sections[above[0]].model_fields) if above else list(sections)
        return f"sop.toml: '{where}' is not a setting{_nearest(str(error['loc'][-1]), known)}"
    if error["type"] == "value_error":
        return f"sop.toml: [{where}] {error['ctx']['error']}"
    if error["type"] == "model_type":
        return f"sop.toml: {where} = {error['input']!r}: write it as a section [{where}] with its keys"
    return f"sop.toml: {where} = {error['input']!r}: {error['msg']}"


def load(folder: str | Path | None = None, environment: dict[str, str] | None = None) -> Settings:
    """Return the settings of a workbook folder.

    Without a folder: the one that `SOP_WORKBOOK` names, else `data/sample` of the repository.
    `SOP_INPUTS`, `SOP_PLANS` and `SOP_REPORTS` replace the folders that `sop.toml` names; `SOP_RESULTS` is where
    results are kept if not in the plans folder, `SOP_ENGINE` the URL of a cluster.

    Raises SettingsError when `sop.toml` is absent, is not TOML, or holds a key or value that is not allowed.
    """
    env = os.environ if environment is None else environment
    home = Path(folder or env.get("SOP_WORKBOOK") or Path(__file__).parent.parent / "data" / "sample").resolve()
    path = home / "sop.toml"
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        for name in ("folder", "inputs_folder", "plans_folder", "reports_folder", "results_folder"):
            if name in data:
                raise SettingsError(f"sop.toml: '{name}' is not a setting; use [folders]")
        if "engine" in data:
            raise SettingsError("sop.toml: 'engine' is not a setting; use sop run --engine URL")
        problems = _unknown_names(data.get("inputs"))
        given = Settings.model_validate(data)
    except FileNotFoundError:
        raise SettingsError(f"{path}: no sop.toml here; a workbook folder has one") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not readable as TOML: {error}") from None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from None
    except ValidationError as error:
        raise SettingsError("\n".join([*(_sentence(e) for e in error.errors()), *problems])) from None
    if problems:
        raise SettingsError("\n".join(problems))
    return given.model_copy(update=_folders(given, home, env) | {"engine": env.get("SOP_ENGINE", "")})


def _folders(given: Settings, home: Path, env) -> dict[str, Path]:
    out = {"folder": home}
    for name in ("inputs", "plans", "reports"):
        own = env.get(f"SOP_{name.upper()}")
        out[f"{name}_folder"] = Path(own).resolve() if own else (home / getattr(given.folders, name)).resolve()
    out["results_folder"] = Path(env.get("SOP_RESULTS") or out["plans_folder"] / ".results").resolve()
    return out
