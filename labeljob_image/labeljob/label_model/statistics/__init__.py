"""What a fit knows of a label matrix: mergeable, in bounded memory, and packed for fast passes."""
