"""A company's `sop.toml` as a typed object; a key that does not exist is refused with the nearest name."""

import difflib
import os
import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

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

    horizon_months: int = Field(24, ge=1, le=60)
    decision_lag: int = Field(2, ge=1, le=12)
    service_level: float = Field(0.95, gt=0.5, lt=1)
    fiscal_year_start: int = Field(1, ge=1, le=12)
    consensus_rule: Literal["statistical"] = "statistical"
    hierarchy: tuple[Literal["family", "product", "region"], ...] = ("product", "region")
    strategies: tuple[Literal["level", "chase", "mixed"], ...] = ("level", "chase", "mixed")


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
    separator: str = ","
    decimal: str = "."
    encoding: str = "utf-8"
    date_format: str = ""
    sql: str = ""
    files: tuple[str, ...] = ()
    database_env: str = ""


class Settings(_Strict):
    """All settings of a workbook folder; `inputs_folder`, `plans_folder`, `reports_folder` are resolved paths."""

    company: Company = Company()
    planning: Planning = Planning()
    folders: Folders = Folders()
    inputs: dict[str, Source] = {}
    folder: Path = Path(".")
    inputs_folder: Path = Path("inputs")
    plans_folder: Path = Path("plans")
    reports_folder: Path = Path("reports")

    @field_validator("inputs")
    @classmethod
    def known_tables(cls, value: dict[str, Source]) -> dict[str, Source]:
        known = [t.name for t in tables.tables().values() if t.group == "input"]
        unknown = [f"'{name}' is no input table{_nearest(name, known)}" for name in value if name not in known]
        if unknown:
            raise ValueError("; ".join(unknown))
        return value

    def defaults_used(self) -> dict[str, object]:
        """Return the planning settings that `sop.toml` leaves to their default, by name."""
        return {n: getattr(self.planning, n) for n in Planning.model_fields if n not in self.planning.model_fields_set}


def _nearest(word: str, known: list[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean '{near[0]}'?" if near else f"; known: {', '.join(sorted(known))}"


def _sentence(error: dict, data: dict) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        model: type[BaseModel] = Settings
        for part in error["loc"][:-1]:
            model = {"company": Company, "planning": Planning, "folders": Folders}.get(part, Source)
        known = [
            n for n in model.model_fields if model is not Settings or n in ("company", "planning", "folders", "inputs")
        ]
        return f"sop.toml: '{where}' is not a setting{_nearest(str(error['loc'][-1]), known)}"
    return f"sop.toml: {where} = {error['input']!r}: {error['msg']}"


def load(folder: str | Path | None = None, environment: dict[str, str] | None = None) -> Settings:
    """Return the settings of a workbook folder.

    Without a folder: the one that `SOP_WORKBOOK` names, else `data/sample` of the repository.
    `SOP_INPUTS`, `SOP_PLANS` and `SOP_REPORTS` replace the folders that `sop.toml` names.

    Raises SettingsError when `sop.toml` is absent, is not TOML, or holds a key or value that is not allowed.
    """
    env = os.environ if environment is None else environment
    home = Path(folder or env.get("SOP_WORKBOOK") or Path(__file__).parent.parent / "data" / "sample").resolve()
    path = home / "sop.toml"
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        for name in ("folder", "inputs_folder", "plans_folder", "reports_folder"):
            if name in data:
                raise SettingsError(f"sop.toml: '{name}' is not a setting; use [folders]")
        given = Settings.model_validate(data)
    except FileNotFoundError:
        raise SettingsError(f"{path}: no sop.toml here; a workbook folder has one") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not readable as TOML: {error}") from None
    except ValidationError as error:
        raise SettingsError("\n".join(_sentence(e, data) for e in error.errors())) from None
    return given.model_copy(update=_folders(given, home, env))


def _folders(given: Settings, home: Path, env) -> dict[str, Path]:
    out = {"folder": home}
    for name in ("inputs", "plans", "reports"):
        own = env.get(f"SOP_{name.upper()}")
        out[f"{name}_folder"] = Path(own).resolve() if own else (home / getattr(given.folders, name)).resolve()
    return out
