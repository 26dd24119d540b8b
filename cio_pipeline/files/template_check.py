"""Checking a key template before the first message comes (M2): names, samples, equal keys."""

from collections.abc import Collection, Iterator
from difflib import get_close_matches

from cio_pipeline.contracts.message_envelope import (
    EVENT_ID,
    METADATA,
    NAMESPACES,
    SAMPLES,
    TIME,
    TIMESTAMP,
)
from cio_pipeline.files.message_keys import FUNCTIONS, KeyTemplate, NoKey, compile_template
from cio_pipeline.files.message_time import time_context
from cio_pipeline.files.template_syntax import place_of_call
from cio_pipeline.files.template_tree import ALL, calls, paths
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.json_text import decoded

_FIELDS = {"metadata": METADATA, "time": TIME}


def check_template(text: str) -> tuple[str, ...]:
    """Warnings of a template that can be used; raises InvalidConfig for one that cannot.

    It is compiled, its names are looked up, and the samples of both kinds are rendered. Names
    below `data` are not known beforehand: a template that reads it may fail on the samples.
    """
    template = compile_template(text)
    _check_names(template)
    keys = {kind: _rendered(template, kind) for kind in SAMPLES}
    failed = {kind: key for kind, key in keys.items() if isinstance(key, NoKey)}
    if len(failed) == len(SAMPLES) and not template.reads_data:
        raise InvalidConfig(
            f"No message gets a key: {next(iter(failed.values()))}.",
            "Try a template with `cio-pipeline sync key-preview --template`.",
        )
    return tuple(_warnings(template, failed))


def _check_names(template: KeyTemplate) -> None:
    for name, given in calls(template.tree):
        _check_call(template.text, name, given)
    for path in paths(template.tree):
        if path[0] == ALL:
            continue
        _known(path[0], path[0], NAMESPACES, "namespace")
        if path[0] in _FIELDS and len(path) > 1:
            _known(".".join(path[:2]), path[1], _FIELDS[path[0]], f"field of {path[0]}")


def _check_call(text: str, name: str, given: int) -> None:
    place = place_of_call(text, name)
    at = f" at character {place}" if place else ""
    _known(f"{name}(){at}", name, FUNCTIONS, "function")
    least, most = FUNCTIONS[name]
    if given < least or (most is not None and given > most):
        wanted = f"{'at least ' if most is None else ''}{least} argument{'s' if least > 1 else ''}"
        raise InvalidConfig(
            f"The key template is wrong: Expected {wanted} for {name}(){at}, received {given}."
        )


def _known(told: str, name: str, among: Collection[str], what: str) -> None:
    if name in among:
        return
    lower = {one.lower(): one for one in among}
    close = get_close_matches(name.lower(), lower, 1)
    meant = f"Did you mean {lower[close[0]]}? " if close else ""
    raise InvalidConfig(
        f"The key template uses {told}; there is no such {what}.",
        f"{meant}There are {', '.join(sorted(among))}.",
    )


def _rendered(template: KeyTemplate, kind: str, event_id: str | None = None) -> str | NoKey:
    metadata, payload = SAMPLES[kind]
    changed = metadata | ({EVENT_ID: event_id} if event_id else {})
    try:
        return template.render(changed, time_context(metadata[TIMESTAMP]), decoded(payload))
    except NoKey as error:
        return error


def _warnings(template: KeyTemplate, failed: dict[str, NoKey]) -> Iterator[str]:
    for kind, why in failed.items():
        yield f"the sample of a {kind} message gets no key: {why}; such messages are quarantined"
    for kind in SAMPLES:
        if kind not in failed and _rendered(template, kind) == _rendered(template, kind, "other"):
            yield (
                f"two {kind} messages with different event-ids can get one key"
                + (" (pages of one operation do)" if kind == "read" else "")
                + ': the later one overwrites the earlier; add metadata."event-id"'
            )
