"""The base classes of scripts; see `canonical.launchpad.scripts.base`."""
