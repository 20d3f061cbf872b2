"""Text of unknown origin, in a terminal and in the UI: it is shown, and nothing in it acts."""

import logging

from orchestration.defs.landing import shown
from orchestration.landing.result import SourceLanding
from orchestration.run_log import _Lines


def test_what_a_step_says_has_nothing_that_acts_in_a_terminal():
    said = []
    record = logging.makeLogRecord(
        {
            "levelno": logging.WARNING,
            "dagster_meta": {
                "orig_message": "warning: 'a\x1b]0;b\x07\u202ec' is\nno campaign",
                "dagster_event": None,
                "step_key": "landing",
            },
        }
    )
    _Lines(said.append).emit(record)
    assert said == ["  warning: 'a\ufffd]0;b\ufffd\ufffdc' is\nno campaign"]


def test_names_and_reasons_in_the_ui_load_nothing_and_lead_nowhere():
    outcome = SourceLanding("generic")
    outcome.set_aside.append(
        ("a\n# b.csv", "found: ![x](http://e.example/x.png), <img src=x>, `c`")
    )
    (record,) = shown(outcome)["files left out"].records
    assert record.data == {
        "file": "a # b.csv",
        "reason": "found: ![x](http://e.example/x.png), <img src=x>, `c`",
    }
