"""What a cron script is made of; see `canonical.launchpad.scripts.base`."""
