/** Lint rules. assembly/ is left to its compiler: decorators on functions are not TypeScript, and the parser refuses them. */
import { defineConfig, globalIgnores } from "eslint/config";
import tseslint from "typescript-eslint";

export default defineConfig(
  globalIgnores([
    ".hosts/",
    "test/consumers/**/*.ts",
    "build/",
    "dist/",
    "assembly/",
    "bench/ceilings/assembly/",
    "src/runtime/binary/",
  ]),
  { linterOptions: { reportUnusedDisableDirectives: "error" }, rules: { eqeqeq: "error" } },
  { files: ["**/*.{js,mjs}"], extends: [tseslint.configs.recommended] },
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { project: "./tsconfig.check.json", tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/no-non-null-assertion": "off", // elements of typed arrays
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
    },
  },
  {
    files: ["src/**"],
    ignores: ["src/check.ts"],
    rules: {
      "no-restricted-globals": ["error", { name: "process", message: "Bundlers replace this name: use runtime/nodeProcess.ts." }],
      "no-restricted-syntax": [
        "error",
        {
          selector: ":matches(NewExpression, CallExpression)[callee.name=/^(Type|Range)?Error$/]",
          message: "Errors are made in src/check.ts.",
        },
      ],
    },
  },
);
