"""What the verbs work with: the services of the environment's settings."""

import getpass
import os
import socket
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from uuid import uuid4

from cio_pipeline.ledger.registry import Registry
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.scope import Scope
from cio_pipeline.model.times import utc
from cio_pipeline.model.windows import Window, last_closed_window, parse_time, window_holding
from cio_pipeline.pipeline.services import Services
from cio_pipeline.settings import settings
from cio_pipeline.wiring import Opened, now, open_services

OWNER = f"command line on {socket.gethostname()}, process {os.getpid()}-{uuid4().hex[:6]}"
"""Each process of its own: one must not take what another works on."""


def services(*, older: bool = False) -> Services:
    """The services that the `CIO_*` variables name.

    Raises LedgerError if the ledger is not the one that was used here before, or an earlier state
    of it (`older` takes such a one).
    """
    return open_services(settings()).recognised(older=older).owned_by(OWNER)


def opened() -> Opened:
    """The same with whatever ledger there is, for the verbs that mend it."""
    found = open_services(settings())
    return replace(found, services=found.services.owned_by(OWNER))


def scope_of(registry: Registry, sync_ids: Collection[str]) -> Scope:
    """A scope of named syncs, or of all; raises UnknownSync."""
    for sync_id in sync_ids:
        registry.get(sync_id)
    return Scope(tuple(sync_ids) or None)


def window_at(text: str | None, feed: Feed = Feed.DATA_OUT) -> Window:
    """The feed's window that a time falls into; the last closed one if no time is given."""
    if text is None:
        return last_closed_window(now(), feed.cadences[0], feed)
    return window_holding(parse_time(text), feed)


def ended(window: Window) -> Window:
    """The window as it is; raises InvalidConfig if it has not ended."""
    if window.end > now():
        raise InvalidConfig(
            f"The window {window.key} (UTC) is still open.",
            f"Take it after {utc(window.end)}; `cio-pipeline export --now` waits for no window.",
        )
    return window


def feed_of_sync(registry: Registry, sync_id: str) -> Feed:
    """The feed of a registered sync; raises UnknownSync."""
    return registry.get(sync_id).sync.feed


def whoever() -> str:
    """Who is at the command line, for the history of a sync."""
    try:
        return f"{getpass.getuser()} (command line)"
    except (OSError, KeyError):
        return "somebody (command line)"


def time_at(text: str | None) -> datetime:
    """A time given on the command line, or now; raises InvalidConfig for one in the future."""
    if text is None:
        return now()
    at = parse_time(text)
    if at > now():
        raise InvalidConfig(
            f"{utc(at)} lies in the future.", "Leave --at out, or give a past time."
        )
    return at
