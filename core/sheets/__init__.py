"""Sheets: standalone HTML files to take away. Pictures lie inside, nothing is fetched."""
