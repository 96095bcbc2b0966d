from canonical.launchpad.scripts.base import LaunchpadCronScript


class Hello(LaunchpadCronScript):
    def main(self):
        print("Hello.")


if __name__ == "__main__":
    Hello("hello").lock_and_run()
