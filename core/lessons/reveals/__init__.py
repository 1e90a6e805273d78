"""What lessons reveal: each file registers some reveals (see core/lessons/revealing.py)."""
