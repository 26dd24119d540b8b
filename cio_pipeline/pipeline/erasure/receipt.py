"""The receipt of an erasure: what an auditor checks, without naming anybody."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from cio_pipeline.model.errors import CioError, InvalidConfig, ObjectMissing
from cio_pipeline.model.manifests import manifest_key, parse_manifest
from cio_pipeline.pipeline.services import Services

FORMAT = 1


@dataclass(frozen=True)
class ErasedFile:
    """A file that was rewritten; `manifest` tells of it, None while that is still to be stored."""

    sync: str
    key: str
    before: str
    sha256: str
    rows: int
    bytes: int
    at: datetime
    manifest: int | None


@dataclass(frozen=True)
class Left:
    """A file that was not rewritten, and why."""

    sync: str
    key: str
    why: str


@dataclass(frozen=True)
class Receipt:
    """What an erasure did, all attempts together. `subject` is a digest that stands for the person.

    `gone` are files that were not there any more, `left` those that could not be rewritten: it is
    complete only if there are none of these. A dry run tells in `files` what it would rewrite.
    """

    workspace_id: int
    subject: str
    at: datetime
    who: str
    files: tuple[ErasedFile, ...] = ()
    gone: tuple[Left, ...] = ()
    left: tuple[Left, ...] = ()
    notes: tuple[str, ...] = ()
    dry_run: bool = False

    @property
    def complete(self) -> bool:
        """Whether nothing of the person was left."""
        return not self.left


_ADAPTER = TypeAdapter(Receipt)


def as_json(receipt: Receipt) -> str:
    """The receipt for a file."""
    content: dict[str, Any] = {"receipt": FORMAT, **_ADAPTER.dump_python(receipt, mode="json")}
    return json.dumps(content, indent=1) + "\n"


def read_receipt(path: Path) -> Receipt:
    """A receipt from its file; raises InvalidConfig for any other file, OSError."""
    try:
        content = json.loads(path.read_bytes())
        if content.pop("receipt") != FORMAT:
            raise KeyError  # noqa: TRY301 - it is no receipt that this release reads
        return _ADAPTER.validate_python(content)
    except (ValueError, KeyError, TypeError, AttributeError, ValidationError):
        raise InvalidConfig(
            f"{path.name} is no receipt of an erasure.",
            "Give the file that `cio-pipeline erase --receipt` wrote.",
        ) from None


@dataclass(frozen=True)
class Checked:
    """How a file of a receipt is found now: `erased`, `removed`, or what is wrong with it."""

    sync: str
    key: str
    state: str
    wrong: bool = False


def check_receipt(services: Services, receipt: Receipt) -> tuple[Checked, ...]:
    """Each file of a receipt as its bucket and its manifest have it now.

    What was left, or was gone and lies there again, is wrong unless it was erased since. Raises
    InvalidConfig for the receipt of a dry run.
    """
    if receipt.dry_run:
        raise InvalidConfig(
            "It is the receipt of a dry run: nothing was erased.", "Erase without --dry-run."
        )
    done = (_checked(one, partial(_state, services, one)) for one in receipt.files)
    rest = (
        _checked(one, partial(_not_rewritten, services, one, receipt.subject))
        for one in (*receipt.left, *receipt.gone)
    )
    return (*done, *rest)


def _checked(one: ErasedFile | Left, ask: Callable[[], tuple[str, bool]]) -> Checked:
    try:
        state, wrong = ask()
    except ObjectMissing:
        state, wrong = "removed since", False
    except CioError as error:
        state, wrong = str(error), True
    return Checked(one.sync, one.key, state, wrong)


def _not_rewritten(services: Services, one: Left, subject: str) -> tuple[str, bool]:
    """The same of a file that was left, or was not there then."""
    found = services.destinations(services.ledger.registry.get(one.sync).sync).sha256(one.key)
    known = services.ledger.rewrites.of_key(one.sync, one.key)
    its = [at for at, each in enumerate(known) if each.subject == subject and each.ordinal]
    if its and found in {each.sha256 for each in known[its[0] :]}:
        return "erased", False
    return f"it lies there and was not erased: {one.why}", True


def _state(services: Services, one: ErasedFile) -> tuple[str, bool]:
    """What lies there now, and whether that is wrong; raises the store's errors."""
    sync = services.ledger.registry.get(one.sync).sync
    destination = services.destinations(sync)
    found = destination.sha256(one.key)
    if one.manifest is not None and sync.manifest:
        told = parse_manifest(destination.get(manifest_key(one.manifest))).superseded
        if (one.key, one.sha256) not in {(each.key, each.sha256) for each in told}:
            return "its manifest tells nothing of it", True
    if found == one.sha256:
        return "erased", False
    if found in _later(services, one):
        return "erased, and rewritten for somebody else since", False
    same = "what lay there before lies there again"
    return (same if found == one.before else "altered since"), True


def _later(services: Services, one: ErasedFile) -> set[str]:
    """What the file was rewritten to afterwards."""
    known = services.ledger.rewrites.of_key(one.sync, one.key)
    digests = [each.sha256 for each in known]
    return set(digests[digests.index(one.sha256) + 1 :]) if one.sha256 in digests else set()
