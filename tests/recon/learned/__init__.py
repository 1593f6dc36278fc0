"""Tests of `recon.learned` and of its networks."""
