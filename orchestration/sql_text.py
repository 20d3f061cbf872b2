"""Names and texts as they stand in SQL.

Belongs here: the two ways of quoting. Does not belong here: any statement, any connection: who only
publishes imports this without what landing needs.
"""


def quoted(identifier: str) -> str:
    """An SQL identifier, whatever characters it has."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """An SQL string literal."""
    return "'" + text.replace("'", "''") + "'"
