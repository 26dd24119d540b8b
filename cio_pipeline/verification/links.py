"""Verification of a sync's manifests: all there, in one chain, of one sync (D10)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType

from cio_pipeline.model.errors import CioError, ManifestBroken
from cio_pipeline.model.manifests import (
    Manifest,
    as_they_lie,
    digest,
    manifest_key,
    manifest_ordinal,
    parse_manifest,
)
from cio_pipeline.ports import Destination
from cio_pipeline.verification.report import (
    RESTORE_MANIFESTS,
    Finding,
    Problem,
    ProblemKind,
    said,
)

NONE_KNOWN = range(0)
NOTHING: Mapping[int, bytes] = MappingProxyType({})

AT_ONCE = 16
"""Manifests that are fetched at a time: a year of windows has 35,000."""


@dataclass(frozen=True)
class Link:
    """A manifest that is there. `manifest` is None if it cannot be parsed, `body` if not read.

    It is `proven` if its files were read and found whole earlier; `error` is why it was not read.
    """

    ordinal: int
    manifest: Manifest | None
    body: bytes | None
    proven: bool = False
    error: CioError | None = None

    @property
    def sha256(self) -> str | None:
        """The digest that the next manifest names."""
        return None if self.body is None else digest(self.body)


def read_links(
    destination: Destination,
    keys: Iterable[str],
    proven: Mapping[int, bytes],
    fetched: Mapping[int, bytes] = NOTHING,
) -> tuple[tuple[Link, ...], list[Finding]]:
    """The manifests among `keys`, by ordinal, and what is wrong with each alone.

    Those that were `fetched` just now are not again. Nor are those that were `proven`, but for the
    last, which tells whether they are of the chain that lies here: if not, all are.
    """
    ordinals = sorted(n for n in map(manifest_ordinal, keys) if n is not None)
    last = max(proven, default=None)
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="manifests") as pool:
        if last is not None and _body(destination, last) != proven[last]:
            proven = {}
        wanted = [n for n in ordinals if n not in proven and n not in fetched]
        asked = zip(wanted, pool.map(partial(_body, destination), wanted), strict=True)
        bodies = {**fetched, **dict(asked)}
    findings: list[Finding] = []
    links = (_read(n, bodies.get(n, proven.get(n, b"")), findings) for n in ordinals)
    return tuple(replace(link, proven=link.ordinal in proven) for link in links), findings


def stored_links(bodies: Sequence[tuple[int, bytes]]) -> tuple[tuple[Link, ...], list[Finding]]:
    """The same for manifests that the ledger holds."""
    findings: list[Finding] = []
    links = tuple(_parsed(ordinal, body, findings) for ordinal, body in bodies)
    return links, findings


def begins_anew(link: Link) -> bool:
    """Whether a chain begins with this manifest though it is not the first of its sync."""
    return link.manifest is not None and link.manifest.begins is not None


def split_at_beginning(links: tuple[Link, ...]) -> tuple[tuple[Link, ...], tuple[Link, ...]]:
    """The manifests before the last one that begins a chain anew, and the rest.

    The earlier ones are there where a sync came back to a place, or where it could not purge.
    """
    at = max((place for place, link in enumerate(links) if begins_anew(link)), default=0)
    return links[:at], links[at:]


def check_chain(
    links: tuple[Link, ...], after: tuple[int, str | None] | None = None, known: range = NONE_KNOWN
) -> Iterator[Finding]:
    """What is wrong between the manifests: holes, broken hashes, another sync's.

    They begin `after` a manifest that was read before: its ordinal and digest. Those `known` were
    put: a chain that lost its end looks whole by itself.
    """
    first = links[0].ordinal - 1 if links and begins_anew(links[0]) else 0
    before = (first, None) if after is None else after
    for link in links:
        yield from _between(before, link)
        before = (link.ordinal, link.sha256)
    yield from _missing(max(before[0] + 1, known.start), known.stop - 1)
    yield from _other_syncs([link for link in links if link.manifest])


def as_rewritten(links: Sequence[Link]) -> tuple[tuple[Link, ...], set[str]]:
    """The links with files as later ones rewrote them, and the keys not proven as they are now."""
    told = {link.ordinal: link.manifest for link in links if link.manifest}
    lying = dict(zip(told, as_they_lie(list(told.values())), strict=True))
    unproven = [told[link.ordinal] for link in links if link.manifest and not link.proven]
    rewritten = {one.key for manifest in unproven for one in manifest.superseded}
    return tuple(replace(link, manifest=lying.get(link.ordinal)) for link in links), rewritten


def _body(destination: Destination, ordinal: int) -> bytes | CioError:
    try:
        return destination.get(manifest_key(ordinal))
    except CioError as error:
        return error


def _read(ordinal: int, body: bytes | CioError, findings: list[Finding]) -> Link:
    if isinstance(body, CioError):
        findings.append(_finding(ProblemKind.UNREADABLE, ordinal, said(body)))
        return Link(ordinal, None, None, error=body)
    return _parsed(ordinal, body, findings)


def _parsed(ordinal: int, body: bytes, findings: list[Finding]) -> Link:
    try:
        manifest = parse_manifest(body)
    except ManifestBroken as error:
        findings.append(_finding(ProblemKind.MANIFEST_BROKEN, ordinal, said(error)))
        return Link(ordinal, None, body)
    if manifest.ordinal != ordinal:
        text = f"It lies under number {ordinal} and says that it is number {manifest.ordinal}."
        findings.append(
            _finding(ProblemKind.MANIFEST_BROKEN, ordinal, f"{text} {RESTORE_MANIFESTS}")
        )
    return Link(ordinal, manifest, body)


def _between(before: tuple[int, str | None], link: Link) -> Iterator[Finding]:
    ordinal, sha256 = before
    if ordinal + 1 < link.ordinal:
        yield from _missing(ordinal + 1, link.ordinal - 1)
    elif link.manifest and link.ordinal == 1 and link.manifest.previous is not None:
        yield _broken(1, "Manifest 1 continues another one; it must be the first.")
    elif link.manifest and sha256 and link.manifest.previous != sha256:
        # Either of the two was altered; all that is certain ends before the earlier one.
        yield _broken(
            ordinal, f"Manifest {link.ordinal} continues another manifest {ordinal} than this one."
        )


def _missing(first: int, last: int) -> Iterator[Finding]:
    if first <= last:
        which = f"Manifest {first} is" if first == last else f"Manifests {first} to {last} are"
        yield _finding(ProblemKind.MANIFEST_MISSING, first, f"{which} missing. {RESTORE_MANIFESTS}")


def _broken(ordinal: int, message: str) -> Finding:
    return _finding(ProblemKind.CHAIN_BROKEN, ordinal, f"{message} {RESTORE_MANIFESTS}")


def _finding(kind: ProblemKind, ordinal: int, message: str) -> Finding:
    return Finding(Problem(kind, manifest_key(ordinal), message), ordinal)


def _other_syncs(links: list[Link]) -> Iterator[Finding]:
    owner = None
    for link in links:
        assert link.manifest  # noqa: S101 (for the type checker; the caller filters)
        found = (link.manifest.sync_id, link.manifest.workspace_id)
        owner = owner or found
        if found != owner:
            message = (
                f"It is of sync {found[0]} and workspace {found[1]}, "
                f"the first is of sync {owner[0]} and workspace {owner[1]}. "
                "Give each sync a path of its own, and move the other's objects there."
            )
            yield _finding(ProblemKind.MANIFEST_BROKEN, link.ordinal, message)
