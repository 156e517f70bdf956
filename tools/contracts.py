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


class OwnPackageOnly(Contract):
    """Modules that only the package around them imports, and whoever is named in `importers`."""

    modules = fields.SetField(subfield=fields.ModuleExpressionField())
    importers = fields.SetField(subfield=fields.ModuleExpressionField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002 # its signature
        allowed = _found(graph, self.importers)
        strangers = [
            (importer, module)
            for module in sorted(_found(graph, self.modules))
            for importer in sorted(graph.find_modules_that_directly_import(module) - allowed)
            if importer.rpartition(".")[0] != module.rpartition(".")[0]
        ]
        return ContractCheck(kept=not strangers, metadata={"strangers": strangers})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for importer, module in check.metadata["strangers"]:
            output.print_error(f"{importer} imports {module}: ask the desk beside it instead")


def _found(graph: ImportGraph, expressions: object) -> set[str]:
    """The modules that a loaded field names."""
    return {module for each in expressions for module in graph.find_matching_modules(str(each))}  # type: ignore[attr-defined]
