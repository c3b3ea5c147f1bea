"""An exchange on this machine that speaks the spot REST interface of Binance."""
