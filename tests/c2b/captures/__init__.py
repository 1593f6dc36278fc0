"""Tests of `c2b.captures`."""
