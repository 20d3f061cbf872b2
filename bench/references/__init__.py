"""The same core by other means, each written as well as its tool allows.

Belongs here: one module per tool, run as a process of its own (`python -m bench.references.NAME`),
with the definition that all share in core.py. Does not belong here: how long they took.
"""
