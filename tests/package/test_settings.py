"""One file reads the package's switches, and an unset or empty one is off."""

import re

import pytest

from blowup import settings
from tests import ROOT


def test_nothing_else_in_the_package_reads_the_environment():
    readers = [
        file.relative_to(ROOT).as_posix()
        for file in (ROOT / "blowup").rglob("*.py")
        if re.search(r"\bos\.(environ|getenv)\b|from os import", file.read_text(encoding="utf8"))
    ]
    assert readers == ["blowup/settings.py"]


@pytest.mark.parametrize("value, on", [(None, False), ("", False), ("0", False), ("1", True)])
def test_the_page_is_static_only_where_the_build_says_so(monkeypatch, value, on):
    monkeypatch.delenv("BLOWUP_STATIC", raising=False)
    if value is not None:
        monkeypatch.setenv("BLOWUP_STATIC", value)
    assert settings.static_page() is on


def test_other_curves_are_compared_with_only_where_a_folder_is_named(monkeypatch, tmp_path):
    for value, folder in ((str(tmp_path), tmp_path), ("", None)):
        monkeypatch.setenv("BLOWUP_CURVES", value)
        assert settings.curves_folder() == folder
    monkeypatch.delenv("BLOWUP_CURVES")
    assert settings.curves_folder() is None
