"""The page about feeds in the Dagster UI: where it lies, and a picture of it (O6)."""

import subprocess
import sys
from pathlib import Path

import pytest

from cio_pipeline_tests.pipeline.test_windows import person
from cio_pipeline_tests.ui.browser import opened
from cio_pipeline_tests.ui.processes import Processes, until
from cio_pipeline_tests.world import World, during

PICTURES = "return [...document.querySelectorAll('img')].map(one => one.naturalWidth)"


@pytest.mark.deep
@pytest.mark.timeout(600)
def test_o6_the_ui_links_the_page_and_shows_a_picture_of_it(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world.sync("a")
    world.commit("people", person("ann"), at=during(0))
    world.run(0, "people")
    monkeypatch.setenv("CIO_WAREHOUSE", str(world.root / "warehouse.duckdb"))
    processes = Processes(world.root)
    job = ("job", "execute", "-m", "cio_pipeline.definitions", "-j", "warehouse_report")
    program = Path(sys.executable).with_name("dagster")
    # Paths of local destinations are relative to it.
    subprocess.run([program, *job], cwd=world.root, env=processes.environment, check=True)
    try:
        processes.start_webserver()
        with opened(processes.url, tmp_path, tmp_path / "profile") as browser:
            browser.go("/assets/warehouse/report")
            page = world.root / "warehouse.duckdb.html"
            browser.sees(str(page), page.as_uri(), "[Show Markdown]")
            browser.follow("[Show Markdown]")
            browser.sees("a: 1 rows.")
            until(
                "the picture", 60, lambda: max(browser.driver.execute_script(PICTURES), default=0)
            )
            browser.rests()
    finally:
        processes.stop_all()
