"""Tests of `recon`."""
