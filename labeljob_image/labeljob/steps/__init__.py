"""One module per step; each turns a task into its result and raises `JobError` when it must stop."""
