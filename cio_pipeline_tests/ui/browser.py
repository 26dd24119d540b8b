"""A headless Chromium that clicks through the Dagster UI."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from cio_pipeline_tests.ui.processes import until

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--window-size=2000,1500",
)
PATIENCE = 40
"""Seconds that a page may take on a busy machine."""


class Browser:
    """What a person does with the UI: go, look, click, type."""

    def __init__(self, driver: Chrome, url: str, pictures: Path) -> None:
        self.driver = driver
        self.url = url
        self.pictures = pictures

    def go(self, path: str) -> None:
        self.driver.get(self.url + path)

    def sees(self, *texts: str) -> None:
        """Wait until the page shows all texts."""
        try:
            until(f"page with {texts}", PATIENCE, lambda: all(t in self.text() for t in texts))
        except AssertionError:
            self.picture("failed")
            raise

    def settles(self) -> None:
        """Wait until the page has loaded all that it shows."""
        until("a page that has loaded", PATIENCE, lambda: "Loading" not in self.text())

    def text(self) -> str:
        return self.driver.find_element(By.TAG_NAME, "body").text

    def click(self, label: str) -> None:
        """Click the button that starts with a label once it can be clicked."""

        def button() -> WebElement | None:
            for one in self.driver.find_elements(By.TAG_NAME, "button"):
                if one.is_displayed() and one.is_enabled() and one.text.startswith(label):
                    return one
            return None

        until(f"a button '{label}'", PATIENCE, button).click()

    def type_partitions(self, selection: str) -> None:
        """Choose partitions in the launch dialog, as one types them."""

        def box() -> WebElement | None:
            found = self.driver.find_elements(By.CSS_SELECTOR, "input[type=text]")
            shown = [
                one
                for one in found
                if one.is_displayed() and "artition" in str(one.get_attribute("placeholder"))
            ]
            return shown[0] if shown else None

        field = until("the box for partitions", PATIENCE, box)
        field.click()
        field.send_keys(selection, Keys.ENTER)

    def picture(self, name: str) -> None:
        self.driver.save_screenshot(str(self.pictures / f"{name}.png"))


@contextmanager
def opened(url: str, pictures: Path, profile: Path) -> Iterator[Browser]:
    """A browser on an empty profile; fails if Chromium or its driver is missing."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.fail("Chromium or its driver is missing: run .ci/install-chromium.")
    options = ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    chrome = Chrome(options=options, service=Service(driver))
    try:
        yield Browser(chrome, url, pictures)
    finally:
        chrome.quit()
