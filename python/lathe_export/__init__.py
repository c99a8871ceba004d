"""Exports PyTorch models for lathe. The only part of the project that needs Python and torch."""
