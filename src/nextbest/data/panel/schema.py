"""What a monthly panel of clients and products holds: products, attributes, and how raw columns are named.

A `PanelSchema` is data, not code: another bank describes its panel with one. `SANTANDER` is the
24-product panel of `train_ver2.csv`. Product `p` of a schema is bit `p` of a packed uint32 mask.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

import numpy as np
import polars as pl

from nextbest.errors import InputError

CUSTOMER_ID, MONTH, ROW = "customer_id", "month", "row"
MAX_PRODUCTS = 32
"""Bits of a mask."""

Kind = Literal["category", "integer", "number", "flag", "date"]
Family = Literal[
    "account", "payroll", "card", "saving", "investment", "loan", "payment", "insurance", "other"
]


@dataclass(frozen=True)
class Product:
    """One product of a panel."""

    column: str
    """Its 0/1 column in the raw table, and its id everywhere."""
    name_en: str
    name_ru: str
    family: Family = "other"
    seed_name_ru: str | None = None
    """The name that the first contract of `POST /predict` answers with; some of these are wrong."""
    may_be_missing: bool = False
    """Whether a missing value is usual in the raw table and means "not held"; elsewhere it makes a row unreadable."""

    def name(self, lang: str) -> str:
        """Name in `en` or `ru`."""
        return self.name_ru if lang == "ru" else self.name_en


@dataclass(frozen=True)
class Attribute:
    """One attribute of a client in a month."""

    name: str
    """Column in the raw table and in `Panel.attributes`."""
    kind: Kind
    domain: tuple[str, ...] = ()
    """Allowed values of a category; empty: any."""
    low: float | None = None
    high: float | None = None
    """Range a number or integer must lie in; outside it is missing."""
    is_protected: bool = False
    """Never a feature by default and never a reason (sex, nationality, residence)."""
    leaks_departure: bool = False
    """Known only because the client left; never a feature."""
    sentinels: tuple[str, ...] = ()
    """Values that stand for a missing one."""

    @property
    def dtype(self) -> pl.DataType:
        """Type of its column in `Panel.attributes`: Enum of the domain or Categorical, Int16 where the range fits
        and Int32 elsewhere, Float32, Boolean, Date."""
        if self.kind == "category":
            return pl.Enum(self.domain) if self.domain else pl.Categorical()
        if self.kind == "integer":
            low = -np.inf if self.low is None else self.low
            high = np.inf if self.high is None else self.high
            return pl.Int16() if low >= -(2**15) and high < 2**15 else pl.Int32()
        return {"number": pl.Float32(), "flag": pl.Boolean(), "date": pl.Date()}[self.kind]


@dataclass(frozen=True)
class CodeNames:
    """A code and its name that stand in two columns and must agree."""

    code: str
    """Attribute with the code."""
    name: str
    """Attribute with the name."""
    names: Mapping[str, str]
    """Code -> name; compared without case, accents and marks."""


@dataclass(frozen=True)
class PanelSchema:
    """Columns of a panel and the roles that the rest of the house asks for by name."""

    name: str
    id_column: str
    month_column: str
    products: tuple[Product, ...]
    attributes: tuple[Attribute, ...]
    roles: Mapping[str, str] = field(default_factory=dict)
    """Role (age, income, region, segment, channel, seniority, activity, joined, sex, foreigner, deceased,
    residence, relation) -> attribute name."""
    code_names: tuple[CodeNames, ...] = ()
    """Codes that are checked against their names, and filled from them where they are missing."""
    id_kind: Literal["integer", "text"] = "integer"
    """What client ids are; a row whose id isn't one goes to quarantine."""
    snapshot_day: int = 28
    """Day that stands for its month (1-28): every date of a month becomes this one."""

    def __post_init__(self) -> None:
        if not 1 <= len(self.products) <= MAX_PRODUCTS:
            raise InputError("products", f"must be 1 to {MAX_PRODUCTS}", value=len(self.products))
        names = [*self.product_columns, *self.attribute_names, self.id_column, self.month_column]
        if len(names) != len(set(names)):
            raise InputError("schema", "names a column twice", value=sorted(names))
        if reserved := {CUSTOMER_ID, MONTH, ROW, "held"} & {*self.product_columns, *self.attribute_names}:
            raise InputError("schema", "uses names that the panel needs itself", value=sorted(reserved))
        if not 1 <= self.snapshot_day <= 28:
            raise InputError(
                "snapshot_day", "must be a day that every month has, 1 to 28", value=self.snapshot_day
            )
        if unknown := set(self.roles.values()) - set(self.attribute_names):
            raise InputError("roles", "must name attributes", value=sorted(unknown))
        named = {column for pair in self.code_names for column in (pair.code, pair.name)}
        if unknown := named - set(self.attribute_names):
            raise InputError("code_names", "must name attributes", value=sorted(unknown))

    @property
    def product_columns(self) -> tuple[str, ...]:
        """Ids of the products, in bit order."""
        return tuple(p.column for p in self.products)

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """Names of the attributes."""
        return tuple(a.name for a in self.attributes)

    @property
    def id_dtype(self) -> pl.DataType:
        """Type of client ids: Int64 or String."""
        return pl.Int64() if self.id_kind == "integer" else pl.String()

    def month_of(self, day: date) -> date:
        """The date that stands for the month of `day`."""
        return day.replace(day=self.snapshot_day)

    def month_before(self, month: date, *, n: int = 1) -> date:
        """The date that stands for the calendar month `n` months before that of `month`; after it where `n` < 0."""
        place = month.year * 12 + month.month - 1 - n
        return date(place // 12, place % 12 + 1, self.snapshot_day)

    def bit(self, column: str) -> int:
        """Bit of a product.

        Raises
        ------
        InputError
            No such product.
        """
        try:
            return self.product_columns.index(column)
        except ValueError:
            raise InputError(
                "product", f"must be one of {list(self.product_columns)}", value=column
            ) from None

    def attribute(self, name: str) -> Attribute:
        """An attribute by its name."""
        for attribute in self.attributes:
            if attribute.name == name:
                return attribute
        raise InputError("attribute", f"must be one of {list(self.attribute_names)}", value=name)


_PROVINCES = (
    "ALAVA|ALBACETE|ALICANTE|ALMERIA|AVILA|BADAJOZ|BALEARS, "
    "ILLES|BARCELONA|BURGOS|CACERES|CADIZ|CASTELLON|CIUDAD REAL|CORDOBA|CORUÑA, "
    "A|CUENCA|GIRONA|GRANADA|GUADALAJARA|GIPUZKOA|HUELVA|HUESCA|JAEN|LEON|LERIDA|RIOJA, "
    "LA|LUGO|MADRID|MALAGA|MURCIA|NAVARRA|OURENSE|ASTURIAS|PALENCIA|PALMAS, "
    "LAS|PONTEVEDRA|SALAMANCA|SANTA CRUZ DE "
    "TENERIFE|CANTABRIA|SEGOVIA|SEVILLA|SORIA|TARRAGONA|TERUEL|TOLEDO|VALENCIA|VALLADOLID|BIZKAIA|ZAMORA|ZARAGOZA|CEUTA|MELILLA"
)
"""Names of the Spanish provinces by code, 1 to 52, as the raw table spells them."""

SANTANDER = PanelSchema(
    name="santander",
    id_column="ncodpers",
    month_column="fecha_dato",
    products=(
        Product(
            "ind_ahor_fin_ult1", "Savings account", "Сберегательный счёт", "saving", "Сберегательный счёт"
        ),
        Product("ind_aval_fin_ult1", "Guarantee", "Банковская гарантия", "loan", "Банковская гарантия"),
        Product("ind_cco_fin_ult1", "Current account", "Текущий счёт", "account", "Текущие счета"),
        Product(
            "ind_cder_fin_ult1",
            "Derivatives account",
            "Счёт для деривативов",
            "investment",
            "Деривативный счёт",
        ),
        Product("ind_cno_fin_ult1", "Payroll account", "Зарплатный счёт", "payroll", "Зарплатный проект"),
        Product("ind_ctju_fin_ult1", "Junior account", "Детский счёт", "account", "Детский счёт"),
        Product(
            "ind_ctma_fin_ult1", "Más Particular account", "Счёт Más Particular", "account", "Особый счёт 3"
        ),
        Product("ind_ctop_fin_ult1", "Particular account", "Счёт Particular", "account", "Особый счёт"),
        Product(
            "ind_ctpp_fin_ult1", "Particular Plus account", "Счёт Particular Plus", "account", "Особый счёт 2"
        ),
        Product(
            "ind_deco_fin_ult1",
            "Short-term deposit",
            "Краткосрочный вклад",
            "saving",
            "Краткосрочный депозит",
        ),
        Product(
            "ind_deme_fin_ult1",
            "Medium-term deposit",
            "Среднесрочный вклад",
            "saving",
            "Среднесрочный депозит",
        ),
        Product(
            "ind_dela_fin_ult1", "Long-term deposit", "Долгосрочный вклад", "saving", "Долгосрочный депозит"
        ),
        Product("ind_ecue_fin_ult1", "E-account", "Электронный счёт", "account", "Цифровой счёт"),
        Product("ind_fond_fin_ult1", "Funds", "Инвестиционные фонды", "investment", "Денежный средства"),
        Product("ind_hip_fin_ult1", "Mortgage", "Ипотека", "loan", "Ипотека"),
        Product("ind_plan_fin_ult1", "Pension plan", "Пенсионный план", "investment", "Пенсионный план"),
        Product("ind_pres_fin_ult1", "Loan", "Кредит", "loan", "Кредит"),
        Product("ind_reca_fin_ult1", "Tax payments", "Уплата налогов", "payment", "Налоговый счёт"),
        Product("ind_tjcr_fin_ult1", "Credit card", "Кредитная карта", "card", "Кредитная карта"),
        Product("ind_valo_fin_ult1", "Securities", "Ценные бумаги", "investment", "Ценные бумаги"),
        Product("ind_viv_fin_ult1", "Home account", "Жилищный счёт", "saving", "Домашний счёт"),
        Product(
            "ind_nomina_ult1",
            "Payroll",
            "Зачисление зарплаты",
            "payroll",
            "Аккаунт для выплаты зарплаты",
            may_be_missing=True,
        ),
        Product(
            "ind_nom_pens_ult1",
            "Pension payroll",
            "Зачисление пенсии",
            "payroll",
            "Аккаунт для пенсионных обязательств",
            may_be_missing=True,
        ),
        Product("ind_recibo_ult1", "Direct debit", "Прямое дебетование", "payment", "Дебетовый аккаунт"),
    ),
    attributes=(
        Attribute("ind_empleado", "category", ("N", "B", "F", "A", "S")),
        Attribute("pais_residencia", "category", is_protected=True),
        Attribute("sexo", "category", ("H", "V"), is_protected=True),
        Attribute("age", "integer", low=0, high=120),
        Attribute("fecha_alta", "date"),
        Attribute("ind_nuevo", "flag"),
        Attribute("antiguedad", "integer", low=0, high=1200, sentinels=("-999999",)),
        Attribute("indrel", "category", ("1", "99"), leaks_departure=True),
        Attribute("ult_fec_cli_1t", "date", leaks_departure=True),
        Attribute("indrel_1mes", "category", ("1", "2", "3", "4", "P")),
        Attribute("tiprel_1mes", "category", ("A", "I", "P", "R", "N")),
        Attribute("indresi", "category", ("S", "N"), is_protected=True),
        Attribute("indext", "category", ("S", "N"), is_protected=True),
        Attribute("conyuemp", "category", ("S", "N")),
        Attribute("canal_entrada", "category"),
        Attribute("indfall", "category", ("S", "N")),
        Attribute("tipodom", "category", ("1",)),
        Attribute("cod_prov", "category", tuple(str(code) for code in range(1, 53))),
        Attribute("nomprov", "category"),
        Attribute("ind_actividad_cliente", "flag"),
        Attribute("renta", "number", low=0),
        Attribute("segmento", "category", ("01 - TOP", "02 - PARTICULARES", "03 - UNIVERSITARIO")),
    ),
    roles={
        "age": "age",
        "income": "renta",
        "region": "cod_prov",
        "segment": "segmento",
        "channel": "canal_entrada",
        "seniority": "antiguedad",
        "joined": "fecha_alta",
        "activity": "ind_actividad_cliente",
        "relation": "tiprel_1mes",
        "status": "indrel_1mes",
        "employee": "ind_empleado",
        "sex": "sexo",
        "foreigner": "indext",
        "residence": "indresi",
        "country": "pais_residencia",
        "deceased": "indfall",
        "new": "ind_nuevo",
    },
    code_names=(
        CodeNames(
            "cod_prov",
            "nomprov",
            {str(code): name for code, name in enumerate(_PROVINCES.split("|"), start=1)},
        ),
    ),
)

SCHEMAS: Mapping[str, PanelSchema] = {SANTANDER.name: SANTANDER}
