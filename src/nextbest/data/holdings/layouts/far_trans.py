"""Customers of FAR-Trans (Sanz-Cruzado, Droukas & McCreadie 2024): `customer_information.csv`, the newest row of each.

What the file says becomes classes of 1 to 5 so:

=================  ===============  =====================================================================
risk level         risk_tolerance   Conservative 1, Income 2, Balanced 3, Aggressive 4
capacity           risk_capacity    < 30,000 EUR 2, 30,000-80,000 3, 80,000-300,000 4, more 5
customer type      knowledge        Inactive 1, Mass 2, Premium 3, Professional and Legal Entity 4
=================  ===============  =====================================================================

`Predicted_...` counts as what it predicts and is marked; `Not_Available` is 1, the least that suitability allows.
The form has four risk levels, so nobody is 5: taking the most daring for the highest of ours would be a guess upwards.
"""

from pathlib import Path

import polars as pl

from nextbest.errors import DataError

FILE = "customer_information.csv"
TOLERANCE = {"Conservative": 1, "Income": 2, "Balanced": 3, "Aggressive": 4, "Not_Available": 1}
CAPACITY = {
    "CAP_LT30K": 2,
    "CAP_LT_30K": 2,
    "CAP_30K_80K": 3,
    "CAP_80K_300K": 4,
    "CAP_GT300K": 5,
    "GT300K": 5,
    "Not_Available": 1,
}
KNOWLEDGE = {"Inactive": 1, "Mass": 2, "Premium": 3, "Professional": 4, "Legal Entity": 4, "Legal entity": 4}
_COLUMNS = (
    "customerID",
    "customerType",
    "riskLevel",
    "investmentCapacity",
    "lastQuestionnaireDate",
    "timestamp",
)


def read_far_trans_customers(path: str | Path) -> pl.DataFrame:
    """One row a customer, by `client_id`.

    Parameters
    ----------
    path
        The folder, or the file itself.

    Returns
    -------
    DataFrame
        `client_id` String, `customer_type` String, `risk_tolerance`, `risk_capacity`, `knowledge` Int32 1..5,
        `is_predicted` Boolean (level or capacity), `profiled_at` Date, `since` Date (the first row of the customer).

    Raises
    ------
    DataError
        The file is missing, lacks a column, or has a level, capacity, type or day that isn't known.
    """
    path = Path(path)
    file = path / FILE if path.is_dir() else path
    try:
        table = pl.read_csv(file, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(str(file), f"can't be read: {str(error).splitlines()[0]}") from error
    if missing := [c for c in _COLUMNS if c not in table.columns]:
        raise DataError(str(file), f"column(s) {missing} missing", remedy=f"it has {table.columns}")
    table = table.with_columns(
        pl.col("lastQuestionnaireDate", "timestamp").str.to_date("%Y-%m-%d", strict=False)
    )
    newest = (
        table.sort("customerID", "timestamp", maintain_order=True)
        .with_columns(since=pl.col("timestamp").min().over("customerID"))
        .unique("customerID", keep="last", maintain_order=True)
    )
    plain = newest.with_columns(pl.col("riskLevel", "investmentCapacity").str.replace("^Predicted_", ""))
    predicted = pl.any_horizontal(
        newest[c].str.starts_with("Predicted_") for c in ("riskLevel", "investmentCapacity")
    )
    known = plain.select(
        client_id="customerID",
        customer_type="customerType",
        risk_tolerance=_classes("riskLevel", TOLERANCE),
        risk_capacity=_classes("investmentCapacity", CAPACITY),
        knowledge=_classes("customerType", KNOWLEDGE),
        is_predicted=predicted,
        profiled_at="lastQuestionnaireDate",
        since="since",
    )
    for column in known.columns:
        if n := known[column].null_count():
            bad = newest.filter(known[column].is_null())
            raise DataError(
                str(file),
                f"{column} can't be told",
                n_bad=n,
                examples=bad.head(5).select(_COLUMNS[1:]).rows(),
            )
    return known


def _classes(column: str, classes: dict[str, int]) -> pl.Expr:
    return pl.col(column).replace_strict(classes, default=None, return_dtype=pl.Int32)
