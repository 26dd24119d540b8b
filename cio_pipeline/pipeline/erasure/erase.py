"""Erasing a person: every delivered file of a workspace that holds them is rewritten in place.

Files that tell what others name the person by go last: whatever run dies before, the next one still
knows them. Each file is on record before it is replaced; the next manifest tells of all.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import polars as pl

from cio_pipeline.contracts.feeds import facts_of
from cio_pipeline.files.names import shown
from cio_pipeline.files.spool import RESTORE as OF_RESTORES
from cio_pipeline.files.spool import sha256_of
from cio_pipeline.files.system_errors import reason, spool_error
from cio_pipeline.model.destinations import earlier_versions
from cio_pipeline.model.erasure import Rewrite, Traces, subject_of
from cio_pipeline.model.errors import CioError, InvalidConfig, LeaseLost, LedgerError, UnknownPerson
from cio_pipeline.model.json_text import NotJson
from cio_pipeline.model.registry import RegisteredSync
from cio_pipeline.model.sync import Sync
from cio_pipeline.model.times import utc
from cio_pipeline.pipeline.committing.commit import sweep_spool
from cio_pipeline.pipeline.erasure.delivered import (
    ALTERED,
    Delivered,
    Place,
    Same,
    copied,
    delivered,
)
from cio_pipeline.pipeline.erasure.person import (
    as_listed,
    followed,
    in_source,
    is_named,
    one_person,
    states_of,
    stay_erased,
    still_named,
    under_way,
)
from cio_pipeline.pipeline.erasure.receipt import ErasedFile, Left, Receipt
from cio_pipeline.pipeline.erasure.settle import pairs_of, replace_file, settle
from cio_pipeline.pipeline.feeds.makers import MAKER_OF
from cio_pipeline.pipeline.heartbeat import HeldLease, all_claimed
from cio_pipeline.pipeline.planning.rows import in_force
from cio_pipeline.pipeline.services import Services


@dataclass
class _Work:
    """One erasure under way. `folder` is where files lie in the spool meanwhile."""

    services: Services
    held: HeldLease
    found: Delivered
    traces: Traces
    subject: str
    dry_run: bool
    folder: str
    known: bool = False
    files: list[ErasedFile] = field(default_factory=list[ErasedFile])
    failed: dict[str, str] = field(default_factory=dict[str, str])
    lost: set[str] = field(default_factory=set[str])

    @property
    def copy(self) -> Path:
        return self.services.spool.path(self.folder) / "copy"

    def rewrite(self, files: Collection[Same]) -> None:
        """Rewrite those of some files that hold the person."""
        for number, same in enumerate(copied(self.services, self.found, files, self.copy)):
            to = self.services.spool.path(self.folder) / str(number)
            rows = self._erased(same, to)
            if rows is not None:
                made = sha256_of(to), rows, to.stat().st_size
                for place in same.places:
                    self._replace(place, f"{self.folder}/{to.name}", made)
            to.unlink(missing_ok=True)

    def _erased(self, same: Same, to: Path) -> int | None:
        key = same.places[0].file.key
        try:
            erase = MAKER_OF[same.plan.export].erase
            return erase(self.copy, to, same.plan, key, self.traces)
        except (pl.exceptions.PolarsError, OSError, NotJson) as error:
            why = spool_error(error) or f"It cannot be read ({reason(error)})."
            if isinstance(why, CioError):
                raise why from None
            self.found.left += [(place, why) for place in same.places]
            return None

    def _replace(self, place: Place, spool: str, made: tuple[str, int, int]) -> None:
        """On record first, then in the bucket; who fails keeps what it has, and is named."""
        services, sync = self.services, place.sync
        key, before = place.file.key, place.file.sha256
        at = services.clock()
        one = Rewrite(sync.id, key, before, *made, spool, self.subject, at)
        if self.dry_run:
            self.files.append(_told(one))
            return
        if sync.id in self.failed:
            self.found.left.append((place, self.failed[sync.id]))
            return
        try:
            if services.destinations(sync).sha256(key) != before:
                self.found.left.append((place, ALTERED))
                return
            services.ledger.rewrites.seal(self.held.lease, one)
            replace_file(services, self.held, one)
        except CioError as error:
            self.failed[sync.id] = str(error)
            self.found.left.append((place, str(error)))


def erase(
    services: Services, workspace: int, text: str, who: str, *, dry_run: bool = False
) -> Receipt:
    """Take a person out of all files that were delivered for a workspace, and are still there.

    `text` names them by internal id, customer id or address. Raises UnknownPerson, StillNamed,
    InvalidConfig if the workspace has no sync, LeaseHeld, and the errors of source and stores;
    nothing was done then, or what was done is finished by doing it again.
    """
    known = [one for one in services.ledger.registry.all() if one.sync.workspace_id == workspace]
    if not known:
        raise InvalidConfig(
            f"No sync serves workspace {workspace}.",
            "`cio-pipeline sync list` shows which there are.",
        )
    folder = f"{OF_RESTORES}erase-{uuid4().hex[:8]}"
    services.spool.folder(folder)
    try:
        with all_claimed(services, pairs_of(known)) as held:
            ids = [one.sync.id for one in known]
            if not dry_run:
                settle(services, held, ids)
            found = delivered(services, [one.sync for one in known])
            work = _Work(services, held, found, Traces(), "", dry_run, folder)
            _find_out(work, workspace, text)
            return _erase(work, known, text, who)
    finally:
        services.spool.discard(folder)
        if not dry_run:
            sweep_spool(services)


def _find_out(work: _Work, workspace: int, text: str) -> None:
    """Who the person is, and what tells of them, by the source and the files that tell."""
    services = work.services
    traces = in_source(services, workspace, text)
    if not traces.people:
        traces = _in_files(work, text)
    traces = one_person(workspace, text, traces)
    work.subject = subject_of(workspace, next(iter(traces.people), text.lower()))
    work.known = bool(traces.people)
    if not work.known and "@" not in text:
        # Where no people tell, others may still name them by internal id.
        traces |= Traces(people=frozenset({text}))
    work.traces = followed(services, workspace, traces)
    salts = set(_salts(work))
    work.traces = work.traces.with_hashed(salts)
    telling: Sequence[Same] = work.found.telling()
    while telling:
        known = work.traces.called
        for same in copied(services, work.found, telling, work.copy):
            told = MAKER_OF[same.plan.export].told
            work.traces = told(work.copy, same.plan, same.places[0].file.key, work.traces)
        # What a later call tells, an earlier one may be found by.
        chained = work.traces.called != known
        telling = [same for same in telling if chained and facts_of(same.plan.export).forwards]
    work.traces = work.traces.with_hashed(salts)


def _salts(work: _Work) -> Iterator[bytes]:
    """What values were hashed with; a ledger that was rebuilt may lack what files were held to."""
    under = {same.plan.contract: same.plan for same in work.found.there}
    for name, plan in under.items():
        try:
            terms = in_force(work.services, plan)
        except LedgerError:
            work.lost.add(str(name))
        else:
            if terms is not None and terms.of.hashes:
                yield terms.salt


def _in_files(work: _Work, text: str) -> Traces:
    found = Traces()
    people = [same for same in work.found.telling() if same.plan.export == "people"]
    named = is_named(text, "internal_customer_id", "customer_id", "email_addr")
    for _ in copied(work.services, work.found, people, work.copy):
        rows = pl.scan_parquet(work.copy).filter(named)
        told = rows.select("internal_customer_id", "customer_id", "email_addr")
        found |= as_listed(told.collect(engine="streaming"))
    return found


def _erase(work: _Work, known: Sequence[RegisteredSync], text: str, who: str) -> Receipt:
    services, workspace = work.services, known[0].sync.workspace_id
    states = states_of(services, known)
    refused = still_named(services, workspace, work.traces, states)
    notes = [str(refused)] if refused else []
    if not work.dry_run:
        if refused:
            raise refused
        stay_erased(services, workspace, work.traces, work.subject, states)
        _look_again(work, known, text)
    work.rewrite(work.found.others())
    if not work.failed:
        work.rewrite(work.found.telling())
    receipt = _receipt(work, workspace, who, [*notes, *_notes(known, work)])
    if not (receipt.files or receipt.left or work.known):
        raise UnknownPerson(
            f"Nobody of workspace {workspace} is known as '{text}'.",
            "Give an internal id, a customer id or an email address, as the source has it.",
        )
    return receipt


def _look_again(work: _Work, known: Sequence[RegisteredSync], text: str) -> None:
    """Take in what was committed meanwhile: only what is made from now on names the person no more.

    Raises StillNamed while anything is under way.
    """
    waiting = under_way(states_of(work.services, known))
    if waiting:
        raise waiting
    now = delivered(work.services, [one.sync for one in known])
    if not _keys(now) <= _keys(work.found):
        work.found = now
        _find_out(work, known[0].sync.workspace_id, text)


def _keys(found: Delivered) -> set[tuple[str, str, str]]:
    places = [place for same in found.there for place in same.places]
    return {(place.sync.id, place.file.key, place.file.sha256) for place in places}


def _receipt(work: _Work, workspace: int, who: str, notes: Sequence[str]) -> Receipt:
    services, subject = work.services, work.subject
    if not work.dry_run:
        away = (*work.found.gone, *work.found.expired)
        services.ledger.rewrites.leave_gone(
            work.held.lease, [_gone(place, subject, services.clock()) for place in away]
        )
        notes = [*notes, *_settled(work)]
        done = services.ledger.rewrites.of_subject(subject)
        work.files = [_told(one) for one in done if one.ordinal != 0]
    return Receipt(
        workspace,
        subject,
        services.clock(),
        who,
        files=tuple(work.files),
        gone=_named((place, "It was gone before.") for place in work.found.gone),
        left=_named(work.found.left),
        notes=tuple(notes),
        dry_run=work.dry_run,
    )


def _settled(work: _Work) -> Iterator[str]:
    """Tell what was rewritten in the next manifest of each sync; why one has none yet."""
    for sync_id in sorted({pair[0] for pair in work.held.lease.tokens}):
        try:
            settle(work.services, work.held, [sync_id])
        except LeaseLost:
            raise
        except CioError as error:
            yield f"No manifest of sync '{sync_id}' tells of it yet: {error}"


def _named(places: Iterable[tuple[Place, str]]) -> tuple[Left, ...]:
    """Each once: what tells of somebody is looked at twice."""
    once = {(place.sync.id, place.file.key): why for place, why in places}
    return tuple(Left(*where, why) for where, why in sorted(once.items()))


def _gone(place: Place, subject: str, at: datetime) -> Rewrite:
    file = place.file
    return Rewrite(
        place.sync.id, file.key, file.sha256, file.sha256, file.rows, file.bytes, "", subject, at, 0
    )


def _notes(known: Iterable[RegisteredSync], work: _Work) -> list[str]:
    """What an erasure cannot reach, by what the syncs are and what else lies in their buckets."""
    syncs = [one.sync for one in known]
    notes = [note for sync in syncs if (note := earlier_versions(sync.destination))]
    notes += [note for sync in syncs if (note := _elsewhere(work.services, sync))]
    notes += [
        f"In the bucket of sync '{sync_id}' no manifest lists {len(keys):,} objects, such as "
        f"{shown(keys[0])}: they were not looked at."
        for sync_id, keys in sorted(work.found.unlisted.items())
    ]
    notes += [
        f"The ledger lacks the data contract {name}: what it hashed was not looked for. Apply it "
        "once more, then erase again."
        for name in sorted(work.lost)
    ]
    if any(sync.feed.facts.forwards for sync in syncs):
        notes.append(
            "Calls and messages that still come in are forwarded as they are: stop them at their "
            "sender."
        )
    return list(dict.fromkeys(notes))


def _elsewhere(services: Services, sync: Sync) -> str | None:
    """That files lie where a sync sent to before it was moved; None if it never was."""
    lines = services.ledger.registry.history(sync.id)
    moved = [one for one in lines if one.before.keys() >= {"first_manifest", "destination"}]
    if not moved:
        return None
    return (
        f"What was sent to sync '{sync.id}' before {utc(moved[-1].at)} lies in another place, and "
        "was not looked at: remove or mend it there."
    )


def _told(one: Rewrite) -> ErasedFile:
    return ErasedFile(
        one.sync_id, one.key, one.before, one.sha256, one.rows, one.bytes, one.at, one.ordinal
    )
