"""Positions, cash and profit, rebuilt from fills; ``Decimal`` throughout."""
