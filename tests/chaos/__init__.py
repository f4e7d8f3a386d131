"""Everything at once: the mirror's processes under random faults, and an oracle at the end. `python -m tests.chaos`."""
