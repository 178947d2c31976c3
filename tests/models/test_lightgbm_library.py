"""In a process of our own LightGBM comes alone; in a caller's it comes as it is, and what was hidden is found again."""

import subprocess
import sys

import pytest

pytest.importorskip("lightgbm")
pytest.importorskip("pandas")

SCRIPT = """
import sys
from nextbest.models.lightgbm_library import load_lightgbm, process_is_ours
if sys.argv[1] == "ours":
    process_is_ours()
lightgbm = load_lightgbm()
loaded = "pandas" in sys.modules
import pandas, numpy
frame = pandas.DataFrame({"x": numpy.arange(40.0)})
data = lightgbm.Dataset(frame.to_numpy(), label=(frame["x"] > 20).to_numpy(float))
booster = lightgbm.train({"objective": "binary", "verbose": -1, "min_data_in_leaf": 2}, data, 3)
print(loaded, load_lightgbm() is lightgbm, booster.num_trees())
"""


@pytest.mark.parametrize(("whose", "loaded"), [("ours", False), ("a caller's", True)])
def test_pandas_comes_along_only_for_a_caller(whose: str, loaded: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, whose], check=True, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.split() == [str(loaded), "True", "3"]
