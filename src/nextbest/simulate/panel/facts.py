"""Published sums and counts of the Santander panel that the simulator is held to; no client's row is here.

Sources, all of the public competition "Santander Product Recommendation" (2016): rows by month and
ownership totals from public notebooks; additions by month and mean log income by province from the
second place's public repository (ttvand/Santander-Product-Recommendation).
"""

from datetime import date

import numpy as np

from nextbest.data.panel.schema import SANTANDER

MONTHS = tuple(date(2015 + m // 12, m % 12 + 1, 28) for m in range(17))
"""2015-01-28 .. 2016-05-28."""
CUSTOMERS = 956_645
"""Customers ever seen."""
FIRST_ID, LAST_ID = 15_889, 1_553_689
# fmt: off
ROWS = np.array((
    625457, 627394, 629209, 630367, 631957, 632110, 829817, 843201, 865440, 892251, 906109, 912021,
    916269, 920904, 925076, 928274, 931453,
))
# fmt: on
"""Rows by month. July 2015 is the break: customers without activity and almost without products appear."""
BREAK = 6
"""Place of July 2015 in `MONTHS`."""
BREAK_ROWS = 196_100
"""Customers that July 2015 reveals: its step less the month's usual newcomers."""
# fmt: off
OWNED = np.array((
    1396, 316, 8945588, 5376, 1103620, 129297, 132742, 1760616, 591008, 24275, 22671, 586381,
    1129227, 252284, 80336, 125159, 35857, 716980, 605786, 349475, 52511, 745961, 810085, 1745712,
))
# fmt: on
"""Rows that hold each product, of all rows."""
PREVALENCE = OWNED / ROWS.sum()
# fmt: off
ADDITIONS = np.array((  # one row a month
    (1, 1, 2132, 12, 1884, 7, 291, 249, 171, 348, 33, 724, 1472, 451, 5, 27, 9, 217, 3471, 259, 8, 5659, 5656, 8285),
    (0, 1, 2293, 15, 1786, 18, 272, 284, 165, 481, 23, 814, 1594, 570, 7, 24, 12, 217, 5076, 205, 4, 4479, 4473, 9135),
    (0, 1, 2366, 12, 1984, 10, 217, 278, 167, 263, 26, 775, 1459, 492, 4, 22, 17, 871, 4627, 194, 5, 2663, 5628, 8346),
    (0, 0, 2264, 7, 1900, 10, 205, 289, 172, 238, 25, 885, 1461, 396, 9, 21, 11, 343, 4071, 201, 4, 3369, 3345, 7085),
    (0, 0, 6588, 9, 1857, 7, 210, 213, 151, 289, 33, 939, 1204, 245, 4, 19, 8, 2931, 4655, 152, 3, 5070, 8135, 9023),
    (0, 0, 3056, 10, 2771, 18, 191, 252, 164, 265, 24, 1138, 1085, 204, 6, 27, 5, 589, 4886, 232, 9, 4408, 4850, 9172),
    (0, 0, 5730, 10, 2412, 37, 240, 231, 145, 322, 33, 1024, 924, 223, 1, 22, 13, 264, 4379, 445, 2, 2950, 2968, 7115),
    (0, 0, 4389, 7, 1775, 22, 471, 191, 122, 387, 30, 1348, 1072, 130, 8, 21, 13, 271, 4463, 328, 2, 4683, 4753, 11210),
    (0, 0, 5682, 3, 2409, 43, 468, 223, 153, 349, 22, 1390, 1205, 146, 7, 19, 9, 593, 4461, 911, 2, 4818, 4790, 12100),
    (0, 0, 4670, 6, 2930, 31, 633, 209, 140, 110, 1, 908, 1588, 169, 3, 37, 8, 416, 4312, 133, 5, 4395, 4409, 10102),
    (0, 0, 9077, 9, 3869, 69, 592, 283, 155, 8, 0, 1199, 1816, 205, 3, 157, 11, 235, 4295, 255, 8, 5071, 5148, 9888),
    (0, 1, 4436, 12, 2155, 37, 545, 259, 149, 0, 0, 447, 2272, 145, 2, 104, 7, 445, 3792, 739, 2, 2437, 2892, 10078),
    (0, 0, 3988, 9, 2211, 48, 770, 217, 141, 1, 0, 684, 2342, 82, 6, 45, 6, 557, 3881, 320, 2, 9499, 12687, 11528),
    (0, 0, 4551, 5, 2428, 45, 643, 225, 131, 0, 0, 239, 1909, 92, 2, 30, 7, 199, 4401, 163, 4, 4974, 5038, 10117),
    (0, 0, 4027, 5, 2381, 40, 596, 240, 161, 0, 0, 99, 2249, 83, 5, 21, 4, 807, 4100, 128, 3, 3790, 4424, 9799),
    (1, 0, 3854, 5, 2346, 40, 512, 226, 131, 0, 0, 46, 2709, 60, 3, 22, 7, 279, 4248, 183, 7, 5488, 5513, 10163),
))
# fmt: on
"""Additions by month (2015-02 .. 2016-05) and product: held now, not the month before."""
PROVINCES = (  # in the order of their code, 1..52: name, rows, mean log income
    ("ALAVA", 37704, 11.5466),
    ("ALBACETE", 114128, 11.2307),
    ("ALICANTE", 313397, 11.1493),
    ("ALMERIA", 60291, 11.2214),
    ("AVILA", 38783, 11.1259),
    ("BADAJOZ", 192996, 11.0422),
    ("BALEARS, ILLES", 124933, 11.7934),
    ("BARCELONA", 1275219, 11.8184),
    ("BURGOS", 97188, 11.3879),
    ("CACERES", 129912, 11.1014),
    ("CADIZ", 294684, 11.3076),
    ("CASTELLON", 104295, 11.1465),
    ("CIUDAD REAL", 119390, 11.0296),
    ("CORDOBA", 144679, 11.1832),
    ("CORUÑA, A", 429322, 11.4953),
    ("CUENCA", 57310, 11.0288),
    ("GIRONA", 90538, 11.6496),
    ("GRANADA", 178562, 11.3356),
    ("GUADALAJARA", 64618, 11.3886),
    ("GIPUZKOA", 71567, 11.4817),
    ("HUELVA", 122283, 11.1286),
    ("HUESCA", 40181, 11.2239),
    ("JAEN", 64363, 11.1218),
    ("LEON", 83003, 11.3077),
    ("LERIDA", 79059, 11.1388),
    ("RIOJA, LA", 85202, 11.4049),
    ("LUGO", 84962, 11.1198),
    ("MADRID", 4409600, 11.8535),
    ("MALAGA", 367023, 11.4929),
    ("MURCIA", 396759, 11.1546),
    ("NAVARRA", 88618, 11.4108),
    ("OURENSE", 84009, 11.2267),
    ("ASTURIAS", 265749, 11.3989),
    ("PALENCIA", 49282, 11.3381),
    ("PALMAS, LAS", 235700, 11.3304),
    ("PONTEVEDRA", 280026, 11.5198),
    ("SALAMANCA", 164238, 11.3917),
    ("SANTA CRUZ DE TENERIFE", 70968, 11.3665),
    ("CANTABRIA", 155706, 11.5404),
    ("SEGOVIA", 42341, 11.3749),
    ("SEVILLA", 605164, 11.4561),
    ("SORIA", 17660, 11.2873),
    ("TARRAGONA", 100115, 11.3910),
    ("TERUEL", 22525, 11.2463),
    ("TOLEDO", 183067, 11.1426),
    ("VALENCIA", 682304, 11.2341),
    ("VALLADOLID", 238259, 11.4132),
    ("BIZKAIA", 185888, 11.5028),
    ("ZAMORA", 50927, 11.1719),
    ("ZARAGOZA", 342543, 11.4714),
    ("CEUTA", 7218, 11.8459),
    ("MELILLA", 9460, 11.7234),
)
BIT = {column: bit for bit, column in enumerate(SANTANDER.product_columns)}
"""Column -> bit; and by the short middle part of the name, `PRODUCT["cco"]`."""
PRODUCT = {column.split("_")[1] if "nom_pens" not in column else "nom_pens": b for column, b in BIT.items()}
