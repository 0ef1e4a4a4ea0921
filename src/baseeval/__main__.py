"""`python -m baseeval` is the command `baseeval`."""

from baseeval.cli import command

if __name__ == "__main__":
    command()
