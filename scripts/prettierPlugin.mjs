/**
 * assemblyscript-prettier without its extra blank lines: before a decorator that does not follow a comment it inserts a blank line
 * even where there is one already.
 */
import plugin from "assemblyscript-prettier";
import { builders } from "prettier/doc";

const printer = plugin.printers["as-estree"];

/** A decorator reaches the printer as a comment. */
function printComment(path, options) {
  const printed = printer.printComment(path, options);
  return Array.isArray(printed) && printed[0] === builders.hardline ? printed.slice(1) : printed;
}

export default { ...plugin, printers: { "as-estree": { ...printer, printComment } } };
