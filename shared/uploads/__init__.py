"""Files that people send: what they are, found out in a process apart, and where they are kept."""
