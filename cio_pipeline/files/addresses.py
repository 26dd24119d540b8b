"""Email addresses in text: a person's own, and not a longer one that ends or begins like it."""

import re
from collections.abc import Collection
from functools import lru_cache
from urllib.parse import quote


def spellings(emails: Collection[str]) -> frozenset[str]:
    """The addresses in lower case, also as links have them."""
    low = {one.lower() for one in emails}
    return frozenset(low | {quote(one).lower() for one in low})


@lru_cache(maxsize=8)
def holding(emails: frozenset[str]) -> str:
    """A pattern of texts, JSON or not, that hold one of some addresses, in any case.

    For Python and Polars, which looks neither ahead nor back.
    """
    alternatives = "|".join(map(re.escape, sorted(spellings(emails))))
    # JSON may write what stands before, such as `<`, by its number.
    before = r"(?:^|[^\w.+-]|\\u00[0-9a-f]{2}|\\[bfnrt])"
    return rf"(?i){before}(?:{alternatives})\.?(?:[^\w.-]|$)"
