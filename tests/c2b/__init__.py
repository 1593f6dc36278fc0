"""Tests of `c2b` and of its commands."""
