"""CVs: what may be one, and where they are kept."""
