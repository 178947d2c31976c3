"""The package's door: light to open, and every name on it leads somewhere."""

import subprocess
import sys

import pytest

import nextbest


@pytest.mark.parametrize("name", [n for n in nextbest.__all__ if n != "__version__"])
def test_every_public_name_leads_to_something_documented(name: str) -> None:
    assert getattr(nextbest, name).__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        nextbest.nothing  # noqa: B018  # reading the attribute is the test


def test_importing_the_package_its_command_line_and_the_assistants_words_loads_no_heavy_library() -> None:
    code = (
        "import sys, nextbest, nextbest.cli, nextbest.assistant.base; nextbest.cli.parser();"
        "print(sorted({'numpy', 'polars', 'duckdb', 'scipy', 'fastapi', 'implicit', 'pyarrow'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
