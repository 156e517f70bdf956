"""Kinds of import rules that import-linter doesn't bring along; .importlinter names them."""

import sys

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class StandardLibraryOnly(Contract):
    """Modules that import the standard library and nothing else; a wildcard may match none yet."""

    modules = fields.SetField(subfield=fields.ModuleExpressionField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002 # its signature
        strangers = [
            (module, imported)
            for expression in self.modules  # type: ignore[attr-defined] # a Field is its value once loaded
            for module in sorted(graph.find_matching_modules(str(expression)))
            for imported in sorted(graph.find_modules_directly_imported_by(module))
            if imported.partition(".")[0] not in sys.stdlib_module_names
        ]
        return ContractCheck(kept=not strangers, metadata={"strangers": strangers})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for module, imported in check.metadata["strangers"]:
            output.print_error(f"{module} imports {imported}: pass what it needs as a plain value instead")
