"""Infers rules from past runs: the model that describes them in least bits."""
