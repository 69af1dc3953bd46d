"""The version of mmcount, in one place."""

__version__ = '0.1.0'
