"""The loops of expectation-maximisation that label models share."""
