"""The one exception that a user is meant to read.

Belongs here: IntentMapError. Its message is a sentence that names what is wrong and what to do;
the command line prints it without a traceback.
"""


class IntentMapError(Exception):
    """A problem that the user can mend; the message says how."""
