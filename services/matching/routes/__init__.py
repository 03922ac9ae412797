"""The routes of the matching API, one module a resource; `api.py` puts them together."""
