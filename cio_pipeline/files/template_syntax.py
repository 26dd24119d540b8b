"""What is wrong with a key template that is no JMESPath, and at which of its characters."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# jmespath has no types of its own.

from itertools import pairwise
from typing import Any

from jmespath import exceptions, lexer


def syntax_problem(text: str, error: Exception) -> str:
    """The mistake that jmespath found in a text, for people; characters are counted from 1."""
    if not text.strip():
        return "it cannot be empty"
    if isinstance(error, exceptions.IncompleteExpressionError):
        return f"at character {len(text) + 1} it ends too early"
    if isinstance(error, exceptions.LexerError):
        return f"at character {error.lexer_position + 1} {_unknown(error)}"
    if isinstance(error, exceptions.ParseError):
        return f"at character {error.lex_position + 1} {_misplaced(error)}"
    return "it cannot be read"


def place_of_call(text: str, name: str) -> int | None:
    """The character, from 1, where a function is called; None if it is called more than once."""
    tokens: list[Any] = list(lexer.Lexer().tokenize(text))
    found = [
        token["start"] + 1
        for token, after in pairwise(tokens)
        if token["value"] == name and after["type"] == "lparen"
    ]
    return found[0] if len(found) == 1 else None


def _unknown(error: Any) -> str:
    """What the characters are that make no word."""
    what = str(error.message)
    if what.startswith("Unclosed"):
        return "a quote is opened and not closed"
    if "escape" in what:
        return "a quoted name has an escape that does not exist"
    if what.startswith("Bad token"):
        return "a literal is no JSON"
    return f"{_quoted(error.lexer_value)} has no meaning"


def _misplaced(error: Any) -> str:
    """What is wrong with a word that stands where it does not belong."""
    what = str(error.msg)
    if "function name" in what:
        return "only a plain name can be that of a function"
    if not error.token_value and what.endswith("got: eof"):
        return "it ends too early"
    return f"{_quoted(error.token_value)} does not fit"


def _quoted(word: object) -> str:
    return f"'{word}'"
