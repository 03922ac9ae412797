"""The plan for the whole pool: as many exchanges as possible, then the highest total score."""
