"""What the bank's table says of its customers in one month, with the gaps it really has.

Attributes of a month depend on the constant ones, the month and the activity; noise is a hash of
(seed, customer, month), so that any part of a month can be made alone.
"""

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.panel.schema import SANTANDER
from nextbest.simulate.panel import facts
from nextbest.simulate.panel.people import CHANNELS, N_MONTHS, NO_SEGMENT, SEGMENTS, Bools, Floats, People

JOINT_GAP = 27_734 / facts.ROWS.sum()
"""Share of rows in which 13 columns are missing together."""
RELATION_GAP = 149_781 / facts.ROWS.sum()
CHANNEL_GAP = 186_126 / facts.ROWS.sum()
PAYROLL_GAP = 16_063 / facts.ROWS.sum()
SEX_GAP = 70 / facts.ROWS.sum()
LOST_SENIORITY = 38 / facts.ROWS.sum()
"""Share of rows whose seniority is -999999."""
AS_OF = 6
"""Until July 2015 the bank's table counts age and seniority, and names who leaves, as of July 2015."""
COUNTRIES = ("ES", "FR", "AR", "DE", "GB", "US", "CO", "IT", "RO", "MX", "CH", "BR", "BE", "EC", "VE", "PT")
"""The published heads; the real panel has 118."""
EMPLOYEES = ("N", "B", "F", "A", "S")
_EMPLOYEE_ROWS = np.array([13_610_977, 3_566, 2_523, 2_492, 17])
RELATIONS = ("A", "I", "P", "R", "N")
STATUSES = ("1", "2", "3", "4", "P")
_STATUS_ROWS = np.array([13_490_681, 1_600, 4_350, 300, 874])
PROVINCE_NAMES = tuple(name for name, _, _ in facts.PROVINCES)
JOINT = (
    *("ind_empleado", "pais_residencia", "sexo", "age", "fecha_alta", "ind_nuevo", "antiguedad", "indrel"),
    *("indresi", "indext", "indfall", "tipodom", "ind_actividad_cliente"),
    *("indrel_1mes", "tiprel_1mes", "canal_entrada", "cod_prov", "nomprov", "renta", "segmento"),
)
"""Columns that are missing together."""


def uniform(ids: NDArray[np.int64], *, seed: int, month: int, what: int) -> Floats:
    """A number in [0, 1) for each customer, month and purpose (splitmix64)."""
    with np.errstate(over="ignore"):
        x = ids.astype(np.uint64) + np.uint64(
            (seed * 1_000_003 + month * 1009 + what * 31 + 1) % 2**63
        ) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x ^= x >> np.uint64(31)
    return np.asarray((x >> np.uint64(11)) * 2.0**-53)


def attributes_frame(people: People, month: int, *, active: Bools, seed: int) -> pl.DataFrame:
    """Attributes of customers present in `month` (0..16), one row each in their order.

    Returns
    -------
    DataFrame of N rows
        Columns `SANTANDER.attribute_names`: categories as Enum, integers as Int16, income as Float32,
        flags as Boolean, days as Date; null = missing.
    """
    ids = people.customer_id

    def u(what: int, when: int = 0) -> Floats:
        return uniform(ids, seed=seed, month=when, what=what)

    gap = joint_gap(ids, seed=seed)
    still = max(month, AS_OF)
    now = _months(np.datetime64(facts.MONTHS[still]))
    joined = people.joined.astype("datetime64[D]")
    seniority = np.maximum(now - _months(joined), 0)
    age = stated_age(people, month)
    bounds = SANTANDER.attribute("age")
    dead = u(2) < 0.0015 + 0.0001 * month
    leaving = (people.last == still) & (still < N_MONTHS - 1)
    status = np.searchsorted(np.cumsum(_STATUS_ROWS) / _STATUS_ROWS.sum(), u(3, month), side="right")
    relation = np.where(active, 0, 1)
    relation = np.where(status == 4, 3, np.where((status == 2) | (status == 3), 2, relation))
    fresh = (people.first == month) & (month > 0) & (people.cohort == 2)
    no_relation = gap | (u(4, month) < RELATION_GAP - JOINT_GAP - 0.006) | (fresh & (u(5) < 0.6))
    code = people.province.astype(np.int16)
    abroad = ~people.resident
    country = np.where(abroad, 1 + np.floor(u(6) ** 2 * (len(COUNTRIES) - 1)), 0).astype(np.int64)
    employee = np.searchsorted(np.cumsum(_EMPLOYEE_ROWS) / _EMPLOYEE_ROWS.sum(), u(7), side="right")
    left_day = np.datetime64(facts.MONTHS[still]) - np.floor(u(8, still) * 25).astype(np.int64)
    columns = {
        "ind_empleado": _enum(EMPLOYEES, employee),
        "pais_residencia": _enum(COUNTRIES, country),
        "sexo": _enum(("H", "V"), people.male.astype(int), missing=u(9) < SEX_GAP * N_MONTHS),
        "age": _optional(pl.Series(age, dtype=pl.Int16), age > (bounds.high or np.inf)),
        "fecha_alta": pl.Series(joined),
        "ind_nuevo": pl.Series(seniority < 6),
        "antiguedad": _optional(pl.Series(seniority.astype(np.int16)), lost_seniority(ids, seed=seed)),
        "indrel": _enum(("1", "99"), leaving.astype(int)),
        "ult_fec_cli_1t": _optional(pl.Series(left_day.astype("datetime64[D]")), ~leaving),
        "indrel_1mes": _enum(STATUSES, status, missing=no_relation),
        "tiprel_1mes": _enum(RELATIONS, relation, missing=no_relation),
        "indresi": _enum(("S", "N"), abroad.astype(int)),
        "indext": _enum(("S", "N"), (~people.foreign).astype(int)),
        "conyuemp": _enum(("S", "N"), (u(10) > 0.0094).astype(int), missing=u(11) > 1_808 / facts.ROWS.sum()),
        "canal_entrada": _enum(CHANNELS, people.channel, missing=people.channel < 0),
        "indfall": _enum(("S", "N"), (~dead).astype(int)),
        "tipodom": _enum(("1",), np.zeros(len(ids), int)),
        "cod_prov": _enum(tuple(str(c) for c in range(1, 53)), code - 1, missing=code == 0),
        "nomprov": _enum(PROVINCE_NAMES, code - 1, missing=code == 0),
        "ind_actividad_cliente": pl.Series(active),
        "renta": _optional(pl.Series(people.income.astype(np.float32)), ~people.income_known),
        "segmento": _enum(SEGMENTS, people.segment, missing=people.segment == NO_SEGMENT),
    }
    for name in JOINT:
        columns[name] = _optional(columns[name], gap)
    return pl.DataFrame(columns).select(SANTANDER.attribute_names)


def stated_age(people: People, month: int) -> NDArray[np.int16]:
    """Age in years as the table states it, impossible ones (to 164) too."""
    return np.asarray(np.floor(people.age + max(month, AS_OF) / 12), dtype=np.int16)


def lost_seniority(ids: NDArray[np.int64], *, seed: int) -> Bools:
    """Customers whose seniority was lost."""
    return np.asarray(uniform(ids, seed=seed, month=0, what=13) < LOST_SENIORITY)


def joint_gap(ids: NDArray[np.int64], *, seed: int) -> Bools:
    """Customers of whom the columns `JOINT` are missing."""
    return np.asarray(uniform(ids, seed=seed, month=0, what=1) < JOINT_GAP)


def _months(day: NDArray[np.datetime64] | np.datetime64) -> NDArray[np.int64]:
    """Calendar months since 1970."""
    return np.asarray(day).astype("datetime64[M]").astype(np.int64)


def _enum(
    words: tuple[str, ...], code: NDArray[np.integer[Any]], *, missing: Bools | None = None
) -> pl.Series:
    code = np.where((code < 0) | (code >= len(words)), 0, code)
    kind = pl.Enum(words)
    out = pl.Series(words, dtype=kind).gather(code)
    return out if missing is None else _optional(out, missing)


def _optional(values: pl.Series, missing: Bools) -> pl.Series:
    """`values` with nulls where missing."""
    frame = pl.DataFrame({"values": values, "missing": missing})
    return frame.select(pl.when(~pl.col("missing")).then(pl.col("values")).alias("values"))["values"]
