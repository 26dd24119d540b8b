"""What a changed data contract says otherwise, for whoever applies it."""

from cio_pipeline.model.data_contract import DataContract

_WHEN = (
    "The data contract holds from the next plan on: what is under way is finished under the one "
    "that it was made under. Files that were sent stay as they are."
)


def told_of_contract(old: DataContract | None, new: DataContract | None) -> tuple[str, ...]:
    """Each thing that differs, with what it was and what it is; and from when on it holds."""
    if old is None or new is None:
        known = old or new
        named = ", ".join(known.exports) if known else ""
        has = "has a data contract now" if new else "has no data contract any more"
        return f"it {has}, for {named}", _WHEN
    before, after = old.told(), new.told()
    places = sorted(place for place in {**before, **after} if before.get(place) != after.get(place))
    lines = [
        f"contract, {place}: {_said(before.get(place))} → {_said(after.get(place))}"
        for place in places
    ]
    return (*lines, _WHEN)


def _said(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
