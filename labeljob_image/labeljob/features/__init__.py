"""Training sets: labels beside the features of their rows, as they were known at the row's time (I2, X14, X24)."""

from labeljob.features.training_set import TrainingSet, training_set

__all__ = ["TrainingSet", "training_set"]
