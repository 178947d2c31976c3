"""Raw Santander rows as `train_ver2.csv` writes them: padding, ` NA`, quotes and all."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from nextbest.data.panel.schema import SANTANDER

_USUAL = {
    "fecha_dato": "2015-01-28", "ncodpers": "1050611", "ind_empleado": "N", "pais_residencia": "ES", "sexo": "V",
    "age": " 35", "fecha_alta": "2012-08-10", "ind_nuevo": " 0", "antiguedad": "     35", "indrel": " 1",
    "ult_fec_cli_1t": "", "indrel_1mes": "1.0", "tiprel_1mes": "A", "indresi": "S", "indext": "N", "conyuemp": "",
    "canal_entrada": "KHE", "indfall": "N", "tipodom": " 1", "cod_prov": "15", "nomprov": "CORUÑA, A",
    "ind_actividad_cliente": " 1", "renta": "87218.1", "segmento": "02 - PARTICULARES",
}  # fmt: skip
HEADER = (*_USUAL, *SANTANDER.product_columns)
GAP = {
    "ind_empleado": "", "pais_residencia": "", "sexo": "", "age": " NA", "fecha_alta": "", "ind_nuevo": " NA",
    "antiguedad": "     NA", "indrel": " NA", "indresi": "", "indext": "", "indfall": "", "tipodom": " NA",
    "ind_actividad_cliente": " NA",
}  # fmt: skip
"""The thirteen columns that 27,734 rows of the real file miss together."""


def row(
    client: int | str, month: str = "2015-01-28", *, own: Sequence[str] = (), **changes: str
) -> dict[str, str]:
    """One raw row: `own` names the products held, without `ind_` and `_fin_ult1`."""
    products = dict.fromkeys(SANTANDER.product_columns, "0")
    for name in own:
        products[next(c for c in products if f"_{name}_" in c)] = "1"
    padded = {c: f" {products[c]}" for c in ("ind_nomina_ult1", "ind_nom_pens_ult1")}
    return {**_USUAL, **products, **padded, "ncodpers": str(client), "fecha_dato": month, **changes}


def write_raw(
    path: Path, rows: Iterable[dict[str, str]], *, header: Sequence[str] = HEADER, **options: str
) -> Path:
    """A CSV file with quotes where Kaggle's has them: the header, and names of provinces."""
    encoding, separator = options.get("encoding", "utf-8"), options.get("separator", ",")
    lines = [separator.join(f'"{name}"' for name in header)]
    for values in rows:
        fields = [values.get(name, "") for name in header]
        lines.append(
            separator.join(
                '"' + v.replace('"', '""') + '"' if n == "nomprov" and v else v
                for n, v in zip(header, fields, strict=True)
            )
        )
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return path


def read_raw(path: Path) -> list[dict[str, str]]:
    """The rows of a file that `write_raw` wrote, by the standard library."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
