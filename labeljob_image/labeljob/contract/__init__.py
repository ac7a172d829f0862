"""What the operator and the job agree on: the shared spec models, `JobConfig` in, `JobResult` out.

All that the operator imports of this package lives here. Nothing here opens data or imports numerics.
"""
