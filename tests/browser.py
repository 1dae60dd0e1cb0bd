"""Playwright's assertions, which wait for what they assert."""

from waiting import PATIENCE

try:
    from playwright.sync_api import expect, sync_playwright
except ModuleNotFoundError:  # then nothing here is called: the fixture `chromium` sees to that
    expect = sync_playwright = None
else:
    expect.set_options(timeout=1000 * PATIENCE)
