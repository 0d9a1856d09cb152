"""Spans and metrics by ``opentelemetry-api``, where it is installed; nothing where it is not.

Names are those of the semantic conventions for databases (1.30 and later): spans of statements have ``db.system.name``,
``db.namespace``, ``db.operation.name``, ``db.collection.name``, ``server.address``, ``server.port``, and where they
failed ``error.type`` and ``db.response.status_code``. No attribute holds the text of a query, of a record, or an id of
an organisation.

Who has not set up an SDK pays some microseconds for each statement, who has no API nothing at all.
"""
