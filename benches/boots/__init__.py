"""Boots compared: what is booted, what is measured of it, and how it is told."""
