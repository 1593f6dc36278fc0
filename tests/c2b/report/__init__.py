"""What results are told by."""
