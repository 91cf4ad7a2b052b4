"""Sales and operations planning from a company's own files, in notebooks."""

__version__ = "0.1.0"
