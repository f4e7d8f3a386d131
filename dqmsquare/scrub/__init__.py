"""Takes out of free text what must not leave P5; each value taken out leaves a visible mark."""

from dqmsquare.scrub.cleaning import clean_bytes, clean_text
from dqmsquare.scrub.rule import MARKS
from dqmsquare.scrub.scrubber import Scrubbed, Scrubber

__all__ = ["MARKS", "Scrubbed", "Scrubber", "clean_bytes", "clean_text"]
