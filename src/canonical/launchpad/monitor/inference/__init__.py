"""What to expect of a script, guessed from its history."""
