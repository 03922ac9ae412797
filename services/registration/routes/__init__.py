"""The routes of the registration API, one module a resource; `api.py` puts them together."""
