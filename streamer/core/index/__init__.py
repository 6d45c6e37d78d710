"""Index: where each document has its place in OpenSearch, and how its fields are mapped there.

``families`` names the indices, ``mappings`` the fields of one kind of document, ``template`` what a
server is told before the first document. No input or output: ``adapters/opensearch`` sends.
"""
