"""Fixtures that several files of unit tests share."""

import pytest


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory):
    """A stand-in grid whose pool and smallest base checkpoint are built; nothing may change it."""
    from stand_ins import grid_with_pool

    return grid_with_pool(tmp_path_factory.mktemp("hub"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Leave whatever needs the stand-ins, which take twenty seconds to make, out of the fast tier."""
    for item in items:
        if "stand_in" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)
