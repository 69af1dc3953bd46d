"""Slow, obvious implementations: the oracle of the kernels, and what runs where no kernel was built."""
