"""What tells that a home's shop is simulated.

Belongs here: the name of the record that the demo leaves, and the sentence for people. Does not
belong here: what stands in the record (demo.py), the shop itself (simulation).
"""

from orchestration.settings import Settings

RECORD = "simulated.json"
SIMULATED = "SIMULATED SHOP: every number here comes from a random generator, none from people."


def is_simulated(settings: Settings) -> bool:
    """Whether the home holds the demo's shop, or a part of one."""
    return (settings.home / RECORD).exists()
