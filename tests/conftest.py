"""Settings of all tests, and a real browser for the tests that need one.

Chromium comes from the system (`apt-get install chromium`), its driver is Playwright for Python;
nothing is downloaded. Where one of them is missing these tests are skipped, or fail if
SBIRCTL_BROWSER is set, so that continuous checks cannot pass without them.
"""

import os
import shutil

import pytest
from hypothesis import HealthCheck, settings
from waiting import PATIENCE

# how long an example takes says nothing: the machine may be slow, or busy with other tests
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="module")
def chromium():
    """Playwright's handle on a headless Chromium."""
    from browser import sync_playwright  # here, for it is slow and most tests need none

    if sync_playwright is None:
        without("Playwright is not installed")
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        without("Chromium is not installed")
    with sync_playwright() as playwright:
        # nothing but the tests' own pages is opened, and root has no sandbox
        browser = playwright.chromium.launch(executable_path=program, chromium_sandbox=False)
        yield browser
        browser.close()


@pytest.fixture
def tabs(chromium):
    """Opens a page: tabs(address, **options of Playwright's new_context).

    The test fails if a page asks anything of another place than its own, has an error in a script,
    breaks its content-security policy or shows a dialog.
    """
    contexts, wrong = [], []

    def open_tab(address, **options):
        context = chromium.new_context(**options)
        contexts.append(context)
        context.set_default_timeout(1000 * PATIENCE)
        own = (address.partition("?")[0], "data:", "blob:")
        context.on("request", lambda asked: asked.url.startswith(own) or wrong.append(asked.url))
        context.on("console", lambda said: said.type == "error" and wrong.append(said.text))
        tab = context.new_page()
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.on("dialog", lambda dialog: wrong.append(dialog.message) or dialog.dismiss())
        tab.goto(address)
        return tab

    open_tab.wrong = wrong
    yield open_tab
    for context in contexts:
        context.close()
    assert wrong == []


def without(reason):
    """Skip, or fail where browser tests are demanded."""
    if os.environ.get("SBIRCTL_BROWSER"):
        pytest.fail(f"{reason}, and SBIRCTL_BROWSER demands it")
    pytest.skip(reason)
