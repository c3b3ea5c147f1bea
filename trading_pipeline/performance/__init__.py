"""What an equity curve and its trades amount to. Fractions throughout; None where undefined."""
