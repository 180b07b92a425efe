/** The public operations of the package, from its types: functions and methods of classes. */
import { fileURLToPath } from "node:url";
import ts from "typescript";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** `causalMask`, `KVCache.append`: without private or internal members, and without getters. */
export function publicOperations(entries: readonly string[]): string[] {
  const { config } = ts.readConfigFile(`${root}tsconfig.json`, (path) => ts.sys.readFile(path)) as { config: unknown };
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  const program = ts.createProgram(
    entries.map((entry) => `${root}${entry}`),
    options,
  );
  const checker = program.getTypeChecker();
  const isCallable = (symbol: ts.Symbol): boolean => checker.getTypeOfSymbol(symbol).getCallSignatures().length > 0;

  const membersOf = (owner: ts.Symbol): ts.Symbol[] =>
    [...checker.getDeclaredTypeOfSymbol(owner).getProperties(), ...(owner.exports?.values() ?? [])].filter((member) => {
      const [declaration] = member.declarations ?? [];
      if (!declaration || member.name.startsWith("__") || ts.isPrivateIdentifier(ts.getNameOfDeclaration(declaration)!))
        return false;
      const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected;
      if (ts.getCombinedModifierFlags(declaration) & hidden || member.flags & ts.SymbolFlags.Accessor) return false;
      return isCallable(member) && !member.getJsDocTags().some(({ name }) => name === "internal");
    });

  const names = new Set<string>();
  for (const entry of entries) {
    const module = checker.getSymbolAtLocation(program.getSourceFile(`${root}${entry}`)!)!;
    for (const exported of checker.getExportsOfModule(module)) {
      const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
      if (symbol.flags & ts.SymbolFlags.Class) for (const { name } of membersOf(symbol)) names.add(`${exported.name}.${name}`);
      else if (symbol.flags & ts.SymbolFlags.Function) names.add(exported.name);
    }
  }
  return [...names].sort();
}
