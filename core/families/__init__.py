"""Architectures, one module each; see `core.family.Family` for what a module has."""

from core.families.registry import families, find_family

__all__ = ["families", "find_family"]
