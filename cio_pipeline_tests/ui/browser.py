"""A headless Chromium that clicks through the Dagster UI."""

import shutil
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium.common.exceptions import (
    ElementClickInterceptedException,
    StaleElementReferenceException,
)
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from cio_pipeline_tests.ui.processes import until

WIDTH, HEIGHT = 2000, 1500
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
    f"--window-size={WIDTH},{HEIGHT}",
)
PATIENCE = 90
"""Seconds that a page may take on a busy machine."""


class Browser:
    """What a person does with the UI: go, look, click, type."""

    def __init__(self, driver: Chrome, url: str, pictures: Path) -> None:
        self.driver = driver
        self.url = url
        self.pictures = pictures

    def go(self, path: str) -> None:
        self.driver.get(self.url + path)

    def rests(self) -> None:
        """Leave the UI, whose pages ask and draw without end while one waits for a run."""
        self.driver.get("about:blank")

    def sees(self, *texts: str) -> None:
        """Wait until the page shows all texts."""
        until(f"page with {texts}", PATIENCE, lambda: all(t in self.text() for t in texts))

    def settles(self) -> None:
        """Wait until the page has loaded all that it shows."""
        until("a page that has loaded", PATIENCE, lambda: "Loading" not in self.text())

    def text(self) -> str:
        return self.driver.find_element(By.TAG_NAME, "body").text

    def click(self, label: str) -> None:
        """Click the button that starts with a label once it can be clicked."""

        def says_so(one: WebElement) -> bool:
            return one.is_enabled() and one.text.startswith(label)

        until(
            f"a button '{label}'", PATIENCE, lambda: self._try("button", says_so, WebElement.click)
        )

    def follow(self, label: str) -> None:
        """Click the link of this text."""
        until(
            f"a link '{label}'",
            PATIENCE,
            lambda: self._try("a", lambda one: one.text == label, WebElement.click),
        )

    def type_partitions(self, selection: str) -> None:
        """Choose partitions in the launch dialog, as one types them."""
        keys = (selection, Keys.ENTER)
        until("the box for partitions", PATIENCE, lambda: self._type_partition(*keys))

    def pick_partition(self, key: str) -> None:
        """Choose one partition in the launchpad, from the list that opens as one types."""
        value = "return document.querySelector('input[placeholder=Partition]')?.value"

        def picked() -> bool:
            # Empty after the page was redrawn: typed again then.
            if self.driver.execute_script(value) == "":
                self._type_partition(key)
            return self._try("span", lambda one: one.text == key, WebElement.click)

        until(f"the partition {key} to choose", PATIENCE, picked)

    def write_config(self, text: str) -> None:
        """Put text into the launchpad's editor in place of what stands there."""
        self.driver.execute_script(
            "document.querySelector('.CodeMirror').CodeMirror.setValue(arguments[0])", text
        )

    def _type_partition(self, *keys: str) -> bool:
        def is_it(one: WebElement) -> bool:
            return "artition" in str(one.get_attribute("placeholder"))

        def type_it(one: WebElement) -> None:
            one.click()
            one.send_keys(*keys)

        return self._try("input[type=text]", is_it, type_it)

    def _try(
        self,
        selector: str,
        is_it: Callable[[WebElement], bool],
        act: Callable[[WebElement], None],
    ) -> bool:
        """Act on the first visible element of a kind; whether one was there and stayed."""
        try:
            for one in self.driver.find_elements(By.CSS_SELECTOR, selector):
                if one.is_displayed() and is_it(one):
                    act(one)
                    return True
        except (StaleElementReferenceException, ElementClickInterceptedException):
            # The page is being redrawn.
            return False
        return False

    def picture(self, name: str) -> None:
        """Keep what the page shows, at half its size: small enough for a page of the docs."""
        whole = {"x": 0, "y": 0, "width": WIDTH, "height": HEIGHT, "scale": 0.5}
        asked = {"format": "png", "clip": whole}
        shot: Any = self.driver.execute_cdp_cmd("Page.captureScreenshot", asked)
        (self.pictures / f"{name}.png").write_bytes(b64decode(shot["data"]))


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
    browser = Browser(chrome, url, pictures)
    try:
        yield browser
    except BaseException:
        browser.picture("failed")
        raise
    finally:
        chrome.quit()
