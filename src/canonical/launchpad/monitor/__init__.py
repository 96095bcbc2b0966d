"""What the records say: is a script as it is expected to be?"""
