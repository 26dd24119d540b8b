"""Units, image and compose file say the same; what can be checked without running them, is."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
PAGE = (ROOT / "docs/production.md").read_text(encoding="utf-8")
UNITS = {path.stem.removeprefix("cio-"): path for path in DEPLOY.glob("systemd/*.service")}


def command_of(unit: str) -> list[str]:
    """The program of a unit, by name, and its arguments."""
    (line,) = re.findall(r"^ExecStart=(.*)$", UNITS[unit].read_text(encoding="utf-8"), re.MULTILINE)
    program, *arguments = shlex.split(line)
    return [Path(program).name, *arguments]


def block(heading: str, number: int = 0) -> str:
    """A fenced block of commands below a heading of the page."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)[number]


def compose() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))


def test_systemd_takes_the_units_and_finds_them_hardened(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not here")
    shutil.copytree(DEPLOY / "systemd", tmp_path, dirs_exist_ok=True)
    for path in tmp_path.glob("*.service"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("/opt/cio-pipeline/bin", str(Path(sys.executable).parent)))
    where = {"SYSTEMD_UNIT_PATH": f"{tmp_path}:/lib/systemd/system", "PATH": "/usr/bin:/bin"}
    units = sorted(tmp_path.glob("*.service"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units],
        env=where,
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if str(tmp_path) in line or "cio-" in line]
    assert (done.returncode, ours) == (0, [])
    for unit in units:
        offline = ["systemd-analyze", "security", "--offline=true", "--threshold=20", unit]
        subprocess.run(offline, env=where, capture_output=True, check=True)


def test_compose_runs_what_the_units_run() -> None:
    services = compose()["services"]
    assert set(services) - {"postgres"} == set(UNITS)
    for unit in UNITS:
        here = [one for one in command_of(unit) if one != "127.0.0.1"]
        there = [one for one in shlex.split(services[unit]["command"]) if one != "0.0.0.0"]  # noqa: S104 - within a container
        assert [one for one in there if one != "--address"] == here


def test_each_variable_that_is_needed_is_given_everywhere() -> None:
    example = (DEPLOY / "environment.example").read_text(encoding="utf-8")
    given = set(re.findall(r"^(\w+)=", example, re.MULTILINE))
    config = (DEPLOY / "dagster.yaml").read_text(encoding="utf-8")
    # Comments offer other launchers.
    text = re.sub(r"^#.*", "", config, flags=re.MULTILINE)
    needed = set(re.findall(r"\{env: (\w+)\}", text + (DEPLOY / "workspace.yaml").read_text()))
    assert needed <= given
    image = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    there = {*compose()["x-service"]["environment"], *re.findall(r"\b([A-Z_]+)=", image)}
    assert given - there == {"CIO_SOURCE"}, "which deploy/.env has, as the file says"


def test_what_the_image_and_the_page_copy_is_there() -> None:
    image = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    copied = re.findall(r"^COPY (?!--from)(?:--\S+ )?(.+) \S+$", image, re.MULTILINE)
    commands = "".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL))
    installed = re.findall(r"\b(deploy/\S+)", commands)
    for pattern in [*" ".join(copied).split(), *installed]:
        assert list(ROOT.glob(pattern)), pattern
    wanted = "'.[production,operations]'"
    assert wanted in image
    assert wanted in PAGE
    assert all(f"cio-{unit}" in block("Start") for unit in UNITS)


def test_a_test_follows_each_block_of_the_page() -> None:
    by = (Path(__file__).parent / "test_fresh_machine.py").read_text(encoding="utf-8")
    followed = {
        (heading, int(number or 0))
        for heading, number in re.findall(r'page\("(.+?)"(?:, (\d))?\)', by)
    }
    written = {
        (section.splitlines()[0], number)
        for section in PAGE.split("\n## ")[1:]
        for number in range(len(re.findall(r"```sh\n", section)))
    }
    assert followed == written


def test_what_an_upgrade_puts_in_place_is_what_was_put_there_at_first() -> None:
    once = f"{block('Configuration')}{block('Start')}"
    of_one_s_own = ("deploy/environment.example", "syncs.yaml")
    mine = set(re.findall(r"^install .*-m .*$", once, re.MULTILINE))
    again = set(re.findall(r"^install .*$", block("Upgrade"), re.MULTILINE))
    kept = {one for one in mine if any(file in one for file in of_one_s_own) or " -d " in one}
    assert again == mine - kept


def test_d4_what_is_run_as_the_services_run_leaves_no_argument_in_the_journal(
    tmp_path: Path,
) -> None:
    """systemd logs the description of what it starts: else the command, and who is erased."""
    told = tmp_path / "systemd-run"
    told.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    told.chmod(0o755)
    done = subprocess.run(
        [DEPLOY / "as-cio", "cio-pipeline", "erase", "1", "ann o'x@x.example"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    options, command = done.stdout.split("\n--\n")
    assert re.search("^--description=", options, re.MULTILINE)
    assert command.splitlines()[1:] == ["cio-pipeline", "erase", "1", "ann o'x@x.example"]
