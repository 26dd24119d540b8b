"""Every `--help` ends with examples, and each example can be called as it stands."""

import shlex

import pytest
from typer.testing import CliRunner

from cio_pipeline.cli.app import app
from cio_pipeline.cli.examples import EXAMPLES
from cio_pipeline_tests.cli.every_verb import COMMANDS, ROOT


def test_every_verb_has_examples_and_no_other() -> None:
    assert EXAMPLES.keys() == COMMANDS.keys()


@pytest.mark.parametrize("verb", COMMANDS)
def test_the_examples_of_a_verb_are_its_own_and_can_be_called(verb: str) -> None:
    shown = CliRunner().invoke(app, [*verb.split(), "--help"], env={"COLUMNS": "200"})
    for example in EXAMPLES[verb]:
        assert f"cio-pipeline {example}" in shown.output
        assert example.startswith(verb)
        words = shlex.split(example)
        command = ROOT
        while words and words[0] in getattr(command, "commands", {}):
            group = command
            command = group.get_command(None, words[0])
            words = words[1:]
        command.make_context(verb, words)
