"""What a call that cannot be understood is told: our words for the library's, and how to go on."""

import re

import typer

WRONG = 2
"""The exit code of a call that cannot be understood."""

LONGEST = 100
"""Characters without a space: longer ones are cut, since nobody reads a value of pages."""

_OURS = (
    (
        r"Input should be a valid integer.*|Unable to parse input string as an integer.*",
        "write a whole number",
    ),
    (r"Input should be greater than or equal to (\S+)", r"write \1 or more"),
    (r"Input should be less than or equal to (\S+)", r"write \1 or less"),
    (r"Input should be (.+)", r"write \1"),
    (r"Value error, (?=['\"])", ""),
    (r"Value error, embedded null byte", "a path has no NUL in it"),
    (r"(?:Path|File) .* does not exist\.?", "there is no such file"),
    (r"(?:Path|File) .* is a directory\.?", "that is a folder"),
)


def in_our_words(error: typer.TyperException) -> tuple[str, str]:
    """What is wrong with a call, and where its verb is described."""
    message: str = getattr(error, "format_message", lambda: str(error))()
    for pattern, words in _OURS:
        message = re.sub(pattern, words, message, flags=re.DOTALL)
    context: typer.Context | None = getattr(error, "ctx", None)
    verb = context.command_path if context is not None else "cio-pipeline"
    said = message if message.endswith("?") else f"{message.rstrip('.?')}."
    return said, f"`{verb} --help` shows what it takes."


def readable(text: str) -> str:
    """The text without the inside of very long words, and without what a terminal would obey."""
    short = re.sub(rf"\S{{{LONGEST},}}", lambda found: f"{found[0][: LONGEST // 2]}…", text)
    return "".join(one if one.isprintable() or one == "\n" else "�" for one in short)
