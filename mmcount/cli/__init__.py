"""The command ``mmcount``: options and words, no logic. The product is imported when a command runs."""
