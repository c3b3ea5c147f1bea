"""Limits, sizing and the check before every order; when in doubt, no order."""
