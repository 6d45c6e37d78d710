"""Index: where each document has its place in OpenSearch, and how its fields are mapped there.

``families`` names the indices, ``mappings`` the fields of one kind of document, ``template`` what a
server is told before the first document; ``fields`` are the same fields by full name, for views, and
``sizes`` what will come of a configuration. No input or output: ``adapters/opensearch`` sends.
"""
