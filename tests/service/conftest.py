"""A started application over the little shop, as users of the API see it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from nextbest.service.app import create_app
from nextbest.service.config import ServiceConfig
from service.running import AppClient
from service.shops import save_shop

QUICK = ServiceConfig(watch_interval_s=3600, health_cache_s=0)


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    return save_shop(tmp_path / "model")


@pytest.fixture
def client(model_folder: Path) -> Iterator[AppClient]:
    app = create_app(model_folder, config=QUICK)
    with AppClient(app) as client:
        yield client
