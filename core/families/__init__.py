"""Architectures, one module each; see `core.family.Family` for what a module has."""

from core.families.registry import find_family

__all__ = ["find_family"]
