"""The three kinds, their conditions, reasons and names. Pure data: no client, no clock, no I/O."""
