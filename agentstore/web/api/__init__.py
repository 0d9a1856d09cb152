"""The history for programs: JSON under ``/api/v1``, the library's records by their own names."""
