"""The speed and scale harness: `python -m bench`, described in docs/benchmarks.md.

Belongs here: event files of any size, the same core computed by other means, measuring, the page.
Does not belong here: anything that the project itself imports.
"""
