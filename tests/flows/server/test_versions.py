"""Versions of Prefect and SQLAlchemy that can be installed together, but do not work together."""

import pytest

from flows.server.prefect_settings import check_versions
from system.errors import SettingsError


@pytest.mark.parametrize(
    ("prefect", "sqlalchemy"), [("3.8.8", "2.0.58"), ("3.9.1", "2.0.58"), ("3.10.0", "2.1.9")]
)
def test_versions_that_work_together_are_accepted(prefect, sqlalchemy):
    check_versions(prefect, sqlalchemy)


def test_an_old_prefect_with_a_new_sqlalchemy_is_refused_in_one_line():
    with pytest.raises(SettingsError, match=r"3\.8\.8 .* SQLAlchemy 2\.1\.0: pip install "):
        check_versions("3.8.8", "2.1.0")
