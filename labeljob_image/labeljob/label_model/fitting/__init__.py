"""From statistics to a fitted model: what may be asked, what is chosen, and what is said of it."""
