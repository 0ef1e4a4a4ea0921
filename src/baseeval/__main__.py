"""`python -m baseeval` is the command `baseeval`."""

from baseeval.cli import main

if __name__ == "__main__":
    main()
