"""Names of the columns that a changeset carries beside the contract's."""

CHANGE = "_change"
"""`new`, `changed` or `deleted` (String)."""

VERSION = "_version"
"""The version of the row's last commit (Int64)."""

COMMITTED_AT = "_committed_at"
"""The time of that commit (Datetime us UTC)."""

GREW = "_grew"
"""Whether the column that must grow did, for `changed` rows; null for others (Boolean)."""

AGAIN = "_again"
"""Whether a row was put there though its identity was there already (Boolean)."""

SERIES = "_series"
"""The series that a row is sent in: a value of model.plans.Series (String)."""

NEW = "new"
CHANGED = "changed"
DELETED = "deleted"
