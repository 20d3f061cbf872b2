"""`python -m orchestration`: the same as the command `intent-map`."""

from orchestration.cli import program

if __name__ == "__main__":
    program()
