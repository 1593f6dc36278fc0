"""Tests of `c2b.video`."""
