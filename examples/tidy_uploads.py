"""A cron script: remove uploads that nobody has claimed.

In a crontab:

    */10 * * * *  /srv/app/bin/py /srv/app/examples/tidy_uploads.py
"""

from canonical.launchpad.scripts.base import LaunchpadCronScript


class TidyUploads(LaunchpadCronScript):
    """Remove uploads that nobody has claimed."""

    def add_my_options(self):
        self.parser.add_option(
            "--fail", action="store_true", help="fail, to see what happens")

    def main(self):
        if self.options.fail:
            raise RuntimeError("the upload directory is gone")
        self.logger.debug("Removed 0 uploads.")


if __name__ == "__main__":
    TidyUploads("tidy-uploads").run()
