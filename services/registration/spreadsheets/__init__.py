"""Spreadsheets in and out: CSV and XLSX files read, their rows understood as submissions, and written."""
