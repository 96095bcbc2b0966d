"""Attacks on scripts, at the end of which work and record have to agree."""
