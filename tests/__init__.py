"""Tests, one file for each module of the package; see `builders` for samples, images and batches."""
