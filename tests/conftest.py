"""What the tests share: the built site and a real browser with every other host blocked."""

import os
import re
import shutil

import pytest

from tests import SITE

ELSEWHERE = re.compile(
    r"^(?!file:|data:|blob:|http://(127\.0\.0\.1|localhost)[:/])"
)  # never asked, only refused
CHROMIUM_HELP = "no Chromium found: install it (Debian: apt-get install chromium) or set CHROMIUM to its path"


def pytest_collection_modifyitems(items):
    """Mark what needs the built site or a browser, so that everything else can be run first."""
    for item in items:
        if {"site", "chromium", "open_page"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("browser")


@pytest.fixture(scope="session")
def chromium():
    """A headless Chromium, driven by Playwright; skips without one, fails instead under CI=true."""
    names = ("chromium", "chromium-browser", "google-chrome")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if path is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(CHROMIUM_HELP)
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium):
    """``open_page(url, width=1280, scheme="light", javascript=True)`` → a Playwright page.

    Every request that leaves ``file:`` or the loopback address is refused and listed in
    ``page.refused``; console errors and uncaught exceptions are listed in ``page.problems``.
    """
    contexts = []

    def open_(url, width=1280, height=900, scheme="light", javascript=True, **options):
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            java_script_enabled=javascript,
            **options,
        )
        contexts.append(context)
        page = context.new_page()
        page.refused, page.problems = [], []

        def refuse(route):
            page.refused.append(route.request.url)
            route.abort()

        context.route(ELSEWHERE, refuse)
        page.on("console", lambda m: page.problems.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: page.problems.append(str(e)))
        page.goto(str(url))
        return page

    yield open_
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def site():
    """The folder of the built site; fails with the command that builds it."""
    from tools.site.build import STAMP  # Jupyter Book and all: where no site is asked for, it may be missing

    if not STAMP.exists():
        pytest.fail(f"the site is not built, or not to its end: run `make book` first (looked for {STAMP})")
    return SITE


@pytest.fixture(scope="session")
def sandbox():
    """Options for tools.marking.grade; skips loudly without a sandbox, fails instead under CI=true."""
    from tools.marking.sandbox import missing

    if why := missing():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"no sandbox for marking: {why}")
    return []
