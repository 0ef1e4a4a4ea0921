"""The design methods, one file each: a file here with a `SPEC` is a method that plans may name.

`baseeval.design.registry` finds them; validation, messages and the table in the docs read the
SPEC. To add a method, add a file: a function from a `DesignSample` and `Settings` to a `Made`,
and the SPEC that names it.
"""
