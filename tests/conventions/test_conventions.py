"""The project keeps its own conventions; the reasons are in CONTRIBUTING.md.

Belongs here: the list of checks, run on the project. That each of them can fail is shown in
test_conventions_can_fail.py.
"""

from pathlib import Path

import document_checks
import model_checks
import pytest
import python_checks
import repository_checks
import sql_checks

ROOT = Path(__file__).resolve().parents[2]
MODULES = (model_checks, sql_checks, python_checks, document_checks, repository_checks)
CHECKS = {
    name: check
    for module in MODULES
    for name, check in vars(module).items()
    if callable(check) and getattr(check, "__module__", "") == module.__name__ and name[0] != "_"
}


@pytest.mark.parametrize("name", CHECKS)
def test_convention(name):
    faults = CHECKS[name](ROOT)
    assert not faults, "\n" + "\n".join(faults)
