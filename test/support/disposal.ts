/** WebKitGTK lacks `Symbol.dispose`, which `using` needs, as the tests are compiled there. */
const symbols = Symbol as { dispose?: symbol };
symbols.dispose ??= Symbol.for("Symbol.dispose");
