"""The setup cell fetches the release, between releases what will be the next one, and says when it cannot."""

import importlib.util
import subprocess
from types import SimpleNamespace

import pytest

from tests import ROOT
from tools.upkeep.address import place, setup_cell, version_of


@pytest.fixture
def fetched(monkeypatch):
    """``fetched(*there)``: what the cell tried to fetch, where pip gets what ends as one of ``there``."""

    def run(*there):
        tried = []

        def pip(command, **_):
            assert command[1:4] == ["-m", "pip", "install"] and "--no-deps" in command
            tried.append(command[-1])
            return SimpleNamespace(returncode=not command[-1].endswith(there))

        monkeypatch.setattr(subprocess, "run", pip)
        exec(setup_cell(), {})
        return tried

    monkeypatch.delenv("BLOWUP_SOURCE", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    return run


def test_the_release_is_fetched_where_there_is_one(fetched):
    address, _ = place(ROOT)
    tag = f"{address.url}/archive/refs/tags/v{version_of(ROOT)}.zip"
    assert fetched(".zip") == [tag]


def test_between_releases_the_branch_is_fetched(fetched):
    address, branch = place(ROOT)
    head = f"{address.url}/archive/refs/heads/{branch}.zip"
    assert fetched(f"heads/{branch}.zip")[1:] == [head]


def test_offline_it_says_what_to_do(fetched):
    with pytest.raises(RuntimeError, match=r"could not fetch .*\.zip: go online and run this cell again"):
        fetched("nothing")


def test_another_source_is_fetched_where_one_is_named(fetched, monkeypatch):
    monkeypatch.setenv("BLOWUP_SOURCE", "some.whl")
    assert fetched(".whl") == ["some.whl"]


def test_a_reader_who_has_the_package_fetches_nothing(fetched, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: "it")
    assert fetched(".zip") == []
