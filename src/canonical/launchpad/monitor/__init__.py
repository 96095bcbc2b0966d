"""Compares the records of scripts with rules."""
