"""Where alerts go: what the library `apprise` reaches, and the ping of a dead man's switch (O3).

What the library says of itself may quote a URL, which holds keys: only the numbers of answers are
taken out of it, and nothing of it reaches a log.
"""

import logging
import re
import warnings
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import Any

import requests

from cio_pipeline.extras import needs
from cio_pipeline.model.errors import AlertNotTaken, InvalidConfig

_NUMBER = re.compile(r"error=(\d{3})\b")
_SECONDS = 10.0


def check_url(url: str) -> None:
    """Raise InvalidConfig for a URL that the library does not know; it is not repeated."""
    _opened(url)


def send(url: str, title: str, body: str) -> None:
    """Send a text to the service behind a URL; raises AlertNotTaken, InvalidConfig."""
    opened, said = _opened(url), list[str]()
    try:
        taken = opened.notify(
            title=title,
            body=body,
            body_format="text",
            log_callback=lambda entry, _service: said.append(entry.message),
        )
    except Exception as error:  # noqa: BLE001 - it has plug-ins for a hundred services
        raise AlertNotTaken(f"Sending broke off ({type(error).__name__}).") from None
    if not taken:
        raise AlertNotTaken(_why(said), "Look whether the service is up, and its URL still valid.")


def ask(url: str) -> None:
    """GET a URL and take any good answer; raises AlertNotTaken."""
    try:
        answer = requests.get(url, timeout=_SECONDS, stream=True, allow_redirects=True)
        answer.close()
    except (requests.RequestException, ValueError) as error:
        raise AlertNotTaken(f"It could not be asked ({type(error).__name__}).") from None
    if not answer.ok:
        raise AlertNotTaken(f"It answered with {answer.status_code}.")


@cache
def _library() -> Any:
    log = logging.getLogger("apprise")
    log.propagate = False
    log.addHandler(logging.NullHandler())
    with warnings.catch_warnings():
        # A module of Python's that the library imports, and that later versions do not have.
        warnings.simplefilter("ignore", DeprecationWarning)
        with suppress(ModuleNotFoundError):
            import_module("imghdr")
    return needs("apprise")


def _opened(url: str) -> Any:
    apprise = _library()
    # In memory: it would keep what it learns of a service in files. Without a time limit: it would
    # wait in a thread that a process waits for at its end. No redirect is followed: most would turn
    # the message into a question without it, whose good answer would count.
    how = apprise.AppriseAsset(
        async_mode=False,
        storage_mode="memory",
        service_timeout=0,
        http_redirects=False,
        app_id="cio-pipeline",
    )
    found = apprise.Apprise(asset=how)
    if not found.add(url):
        raise InvalidConfig(
            "The URL is none that alerts can be sent to.",
            "Write it as https://appriseit.com/services/ shows, such as slack://…, mailtos://… "
            "or json://….",
        )
    return found


def _why(said: list[str]) -> str:
    numbers = [found for text in said for found in _NUMBER.findall(text)]
    if not numbers:
        return "It did not take the message, or did not answer."
    means = {"429": " (it asks to slow down)"}
    if numbers[-1].startswith("3"):
        means[numbers[-1]] = " (it sends elsewhere: write the URL that this leads to)"
    return f"It answered with {numbers[-1]}{means.get(numbers[-1], '')}."
