"""Tests of `recon.training`."""
