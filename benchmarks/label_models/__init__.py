"""The label model beside its peers: speed and memory on generated votes, quality on generated and real votes."""
