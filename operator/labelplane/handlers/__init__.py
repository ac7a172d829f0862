"""Events in, reconciles out. The only package that imports kopf, and only as a source of events.

    kopf -> feed -> cache
                 -> queue -> worker -> reconcile

Banned here: decisions about resources (plan), calls to the API server (cluster).
"""
