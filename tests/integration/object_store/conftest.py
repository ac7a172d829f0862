"""A bucket for each test."""

from pathlib import Path

import pytest

from tests.integration.object_store.builders import Lake
from tests.object_store import ObjectStoreServer


@pytest.fixture
def lake(object_store: ObjectStoreServer, tmp_path: Path) -> Lake:
    (tmp_path / "secrets").mkdir()
    return Lake(object_store, tmp_path / "secrets")
