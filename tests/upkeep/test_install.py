"""What a maintainer relies on: pins agree, the install does not wait, the workflows are well formed."""

import ast
import re
import socket
import sys
import time
from importlib.metadata import packages_distributions

import pytest
import yaml

from tests import ROOT
from tools.upkeep import alone, dependencies, install


def test_binder_pins_agree_with_requirements():
    lines = (ROOT / ".binder" / "requirements.txt").read_text().splitlines()
    binder = dict(line.replace("+cpu", "").split("==") for line in lines if "==" in line)
    assert binder.items() <= dependencies.pins().items()
    assert set(dependencies.floors()) <= set(binder), "a reader's kernel misses something the package needs"
    assert "torch==2.13.0+cpu" in lines


def test_every_requirement_is_pinned_exactly():
    lines = [x for x in (ROOT / "requirements.txt").read_text().splitlines() if x and not x.startswith("#")]
    assert lines and all(re.fullmatch(r"[\w.-]+==[\w.+]+", line) for line in lines)


def test_the_package_has_floors_below_the_pins():
    from packaging.version import Version

    for name, floor in dependencies.floors().items():
        assert Version(floor) <= Version(dependencies.pins()[name]), name


WEEKLY = ("package", "chapters", "labs")  # the rooms of tests that the weekly run opens


def imports(file, seen):
    """The modules of others that a file and what it imports of ours need before anything in them runs."""
    if file in seen or not file.is_file():
        return set()
    seen.add(file)
    found = set()
    for node in ast.parse(file.read_text(encoding="utf8")).body:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module, *(f"{node.module}.{name}" for name in names)]
        for name in names:
            top, place = name.partition(".")[0], ROOT.joinpath(*name.split("."))
            if top in ("tools", "tests"):
                found |= imports(place.with_suffix(".py"), seen) | imports(place / "__init__.py", seen)
            elif top != "blowup":
                found.add(top)
    return found - set(sys.stdlib_module_names)


def test_the_weekly_run_installs_what_its_tests_import():
    run = (ROOT / ".github" / "workflows" / "weekly.yml").read_text()
    assert " ".join(f"tests/{room}" for room in WEEKLY) in run
    files, seen = [ROOT / "tests" / "conftest.py", ROOT / "tests" / "__init__.py"], set()
    for room in WEEKLY:
        files += [f for f in (ROOT / "tests" / room).rglob("*.py") if not f.name.endswith("_browser.py")]
    needed = set().union(*(imports(file, seen) for file in files))
    assert {"torch", "nbformat", "jupytext"} <= needed, "the rule finds imports"
    there = alone.closure([*dependencies.floors(), *dependencies.TESTING])
    owners = packages_distributions()
    missing = {name for name in needed if not {alone.plain(owner) for owner in owners[name]} & set(there)}
    assert not missing, f"add what brings {missing} to dependencies.TESTING"


@pytest.mark.parametrize("which", ["oldest", "newest"])
def test_the_weekly_list_names_all_of_it(which):
    listed = {re.split(r"[=<>]", line)[0] for line in dependencies.listed(which)}
    assert set(dependencies.floors()) | set(dependencies.TESTING) == listed


def test_weekly_run_names_its_choice():
    with pytest.raises(ValueError, match="oldest or newest, not 'latest'"):
        dependencies.listed("latest")


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/", "http://no-such-host.invalid/"])
def test_an_index_that_cannot_be_reached_is_given_up_quickly(address):
    started = time.perf_counter()
    assert not install.reachable(address)
    assert time.perf_counter() - started < install.PATIENCE + 1


def test_an_index_that_never_answers_is_given_up_quickly(monkeypatch):
    monkeypatch.setattr(install, "PATIENCE", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.perf_counter()
        assert not install.reachable(f"http://127.0.0.1:{silent.getsockname()[1]}/")
        assert time.perf_counter() - started < 2


def test_workflows_are_well_formed():
    for file in (ROOT / ".github" / "workflows").glob("*.yml"):
        workflow = yaml.safe_load(file.read_text())
        assert {"name", "jobs", "permissions"} <= set(workflow), file.name
        for job in workflow["jobs"].values():
            if "uses" in job:  # a workflow of ours, called
                assert (ROOT / job["uses"]).is_file(), file.name
            else:
                assert job["timeout-minutes"] <= 120 and job["steps"], file.name


def test_only_what_the_tests_passed_is_published():
    """The job that publishes builds nothing: it deploys what the tests have built and tried."""
    read = {
        name: (ROOT / ".github" / "workflows" / f"{name}.yml").read_text() for name in ("tests", "publish")
    }
    jobs = yaml.safe_load(read["publish"])["jobs"]
    assert jobs["publish"]["needs"] == "test" and jobs["test"]["uses"] == "./.github/workflows/tests.yml"
    assert "make" not in read["publish"].partition("jobs:")[2] and "deploy-pages" in read["publish"]
    steps = yaml.safe_load(read["tests"])["jobs"]["test"]["steps"]
    run, upload = (
        next(k for k, step in enumerate(steps) if word in str(step)) for word in (".ci/run", "upload-pages")
    )
    assert run < upload and steps[upload]["with"]["path"] == "_build/html"
