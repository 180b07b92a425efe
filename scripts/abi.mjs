// assembly/ → src/runtime/abi.generated.ts and assembly/abi/hash.generated.ts: what TypeScript and the kernels agree on, written once.
// What crosses is what assembly/abi/ exports (structs, enums, and the constants of constants.ts), the structs named …Params that kernels
// have beside them, and what the entries export. Anything that the generated files cannot express is an error.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { newOptions, newProgram, NodeKind, parse } from "assemblyscript";

/** What is written; none of these files is checked in. */
export const GENERATED = ["assembly/abi/hash.generated.ts", "src/runtime/abi.generated.ts", "src/runtime/fullAbi.generated.ts"];

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** The types of fields; each takes 4 bytes. */
const FIELD_TYPES = ["usize", "i32", "f32"];
const NUMBER_TYPES = ["usize", "i32", "u32", "f32", "f64", "bool"];
/** The convention of kernels whose work threads share, by the suffix of the kernel's name. */
const SHARED = {
  "": /^params: usize, _?workspace(Ptr)?: usize, first: usize, end: usize → void$/,
  Units: /^params: usize → usize$/,
  WorkspaceBytes: /^params: usize → f64$/,
  Place: /^params: usize, ptr: usize → void$/,
};

/** The statements of a file, by asc's own parser. */
function statementsOf(file) {
  const program = newProgram(newOptions());
  parse(program, readFileSync(file, "utf8"), file, true);
  const [problem] = program.diagnostics;
  if (problem) throw new Error(`${file}: ${problem.message}`);
  return program.sources.find(({ normalizedPath }) => normalizedPath === file).statements;
}

const textOf = ({ range }) => range.source.text.slice(range.start, range.end);
const namedOf = (statements, name) => statements.find((statement) => statement.name?.text === name);

/** What an entry exports: [name, file, name there]. */
function exportsOf(file, statements) {
  return statements.flatMap((statement) => {
    if (statement.kind !== NodeKind.Export) throw new Error(`${file}: expected nothing but exports, got ${textOf(statement)}`);
    const path = `${join(dirname(file), statement.path.value)}.ts`;
    if (statement.members === null) return exportsOf(path, statementsOf(path));
    return statement.members.map(({ localName, exportedName }) => [exportedName.text, path, localName.text]);
  });
}

function structOf(file, { name, decorators, members }) {
  const where = `${file}: ${name.text}`;
  if (!decorators?.some(({ name: decorator }) => decorator.text === "unmanaged")) throw new Error(`${where} is not @unmanaged`);
  const fields = members.map((member) => {
    const type = member.kind === NodeKind.FieldDeclaration && member.type ? textOf(member.type) : "none";
    if (!FIELD_TYPES.includes(type)) throw new Error(`${where}.${member.name.text}: expected a field of ${FIELD_TYPES.join(", ")}`);
    return [member.name.text, type];
  });
  return [name.text, Object.fromEntries(fields)];
}

/** `FEATURE_MAPS` for FeatureMap. */
const listName = (name) => `${name.replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase()}S`;

/** Names in the order of their numbers: `GELU_TANH` is "gelu-tanh", unless a comment after it gives another name. */
function listOf(file, { name, values }) {
  const names = values.map((value, index) => {
    if (value.initializer && textOf(value.initializer) !== String(index)) {
      throw new Error(`${file}: ${name.text}.${value.name.text} must be ${index}`);
    }
    const { source, end } = (value.initializer ?? value.name).range;
    const said = /^,?[ ]*\/\/ "(.+)"$/m.exec(source.text.slice(end).split("\n", 1)[0]);
    return said ? said[1] : value.name.text.toLowerCase().replaceAll("_", "-");
  });
  return [listName(name.text), names];
}

function constantOf([name, file, local]) {
  const variables = statementsOf(file)
    .filter(({ kind }) => kind === NodeKind.Variable)
    .flatMap(({ declarations }) => declarations);
  const initializer = namedOf(variables, local)?.initializer;
  const value = initializer && Number(textOf(initializer));
  if (!Number.isInteger(value)) throw new Error(`${file}: ${local} must be an integer that is written out`);
  return [name, value];
}

function functionOf([name, file, local]) {
  const found = namedOf(statementsOf(file), local);
  if (found?.kind !== NodeKind.FunctionDeclaration) throw new Error(`${file}: ${local} must be a function`);
  const { parameters, returnType } = found.signature;
  const types = parameters.map((parameter) => textOf(parameter.type));
  const result = textOf(returnType);
  for (const type of [...types, ...(result === "void" ? [] : [result])]) {
    if (!NUMBER_TYPES.includes(type)) throw new Error(`${file}: ${local}: expected numbers, got ${type}`);
  }
  return [name, { parameters: parameters.map((parameter, index) => [parameter.name.text, types[index]]), result }];
}

const signatureText = ({ parameters, result }) => `${parameters.map((pair) => pair.join(": ")).join(", ")} → ${result}`;

/** Kernels whose work threads share: those that count units. */
function sharedOf(functions) {
  const names = Object.keys(functions);
  for (const [suffix, pattern] of Object.entries(SHARED)) {
    for (const name of names.filter((each) => suffix && each.endsWith(suffix))) {
      const kernel = functions[name.slice(0, -suffix.length)];
      if (!pattern.test(signatureText(functions[name]))) throw new Error(`${name}: expected ${pattern.source}`);
      if (!kernel || !SHARED[""].test(signatureText(kernel))) throw new Error(`${name}: expected a kernel ${SHARED[""].source}`);
    }
  }
  for (const name of names.filter((each) => SHARED[""].test(signatureText(functions[each])))) {
    if (!functions[`${name}Units`]) throw new Error(`${name}: expected ${name}Units beside it`);
    if (functions[`${name}Place`] && !functions[`${name}WorkspaceBytes`]) {
      throw new Error(`${name}Place: expected ${name}WorkspaceBytes beside it`);
    }
  }
  return names.filter((name) => functions[`${name}Units`]);
}

/**
 * The ABI of the sources in `root`: structs, ordered lists, constants, and the functions of each entry, all by name.
 */
export function readAbi(root = ROOT) {
  // The structs of assembly/abi/, and those that a kernel has beside it.
  const files = readdirSync(join(root, "assembly"), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.ts$/.test(name) && !name.endsWith(".generated.ts"))
    .map((name) => join(root, "assembly", name))
    .filter(
      (file) => dirname(file) === join(root, "assembly/abi") || /^export class \w+Params \{/m.test(readFileSync(file, "utf8")),
    )
    .sort();
  const structs = [];
  const lists = [];
  /** Structs that an engine for attention does not need. */
  const onlyFull = [];
  let constants = [];
  for (const file of files) {
    const statements = statementsOf(file);
    if (file.endsWith("/constants.ts")) constants = exportsOf(file, statements).map(constantOf);
    for (const statement of statements) {
      const isOfAbi = dirname(file) === join(root, "assembly/abi");
      if (statement.kind === NodeKind.ClassDeclaration && (isOfAbi || statement.name.text.endsWith("Params")))
        structs.push(structOf(file, statement));
      if (statement.kind === NodeKind.EnumDeclaration && isOfAbi) lists.push(listOf(file, statement));
    }
    if (/(Attention|attention|identity|constants)\w*\.ts$/.test(file)) continue;
    for (const { kind, name } of statements) if (kind === NodeKind.ClassDeclaration) onlyFull.push(name.text);
  }
  const functionsOf = (entry) => {
    const file = join(root, "assembly", entry);
    const functions = exportsOf(file, statementsOf(file)).map(functionOf);
    return Object.fromEntries(functions.sort(([a], [b]) => (a < b ? -1 : 1)));
  };
  const functions = functionsOf("index.ts");
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  return {
    version,
    structs: Object.fromEntries(structs),
    lists: Object.fromEntries(lists),
    constants: Object.fromEntries(constants),
    onlyFull,
    functions,
    attentionFunctions: functionsOf("attentionOnly.ts"),
    sharedKernels: sharedOf(functions),
  };
}

/** 32 bits that change with the ABI and with the version: kernels of two versions may give different bits. */
export const hashOf = (abi) => createHash("sha256").update(JSON.stringify(abi)).digest().readUInt32BE();

const constantName = (name) => name.replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();

function structText([name, fields]) {
  const names = Object.keys(fields);
  const writes = Object.entries(fields).map(
    ([field, type], index) => `  ${type === "f32" ? "f32" : "i32"}[word${index ? ` + ${index}` : ""}] = values.${field};\n`,
  );
  const views = ["i32", "f32"].filter((view) => Object.values(fields).some((type) => (type === "f32") === (view === "f32")));
  return (
    `export interface ${name} {\n${names.map((field) => `  readonly ${field}: number;\n`).join("")}}\n\n` +
    `export const ${constantName(name)}_BYTES = ${4 * names.length};\n\n` +
    `export function write${name}({ ${views.join(", ")} }: Views, ptr: number, values: ${name}): void {\n` +
    `  const word = ptr >>> 2;\n${writes.join("")}}\n`
  );
}

function functionText([name, { parameters, result }]) {
  const list = parameters.map(([parameter]) => `${parameter.replace(/^_/, "")}: number`).join(", ");
  return `  ${name}(${list}): ${result === "void" ? "void" : "number"};\n`;
}

const listText = (name, values) => `export const ${name} = ${JSON.stringify(values)} as const;\n`;

const VIEWS =
  "/** The memory as numbers. An address above 2³¹ keeps its bits. */\n" +
  "interface Views {\n  readonly i32: Int32Array;\n  readonly f32: Float32Array;\n}\n";
const HEADER = "// Generated by scripts/abi.mjs from assembly/.\n";

/** The generated files of the sources in `root`, by path. */
export function generate(root = ROOT) {
  const abi = readAbi(root);
  const hash = hashOf(abi);
  const sizes = Object.values(abi.structs).map((fields) => 4 * Object.keys(fields).length);
  const structsText = (isFull) =>
    Object.entries(abi.structs)
      .filter(([name]) => abi.onlyFull.includes(name) === isFull)
      .map(structText);
  const attention = [
    `${HEADER}/** What kernels and wrapper agree on. Pointers are byte addresses, strides count elements; every field takes 4 bytes. */\n\n` +
      `/** Of this ABI and this version; the kernels say the same. */\nexport const ABI_HASH = ${hash};\n`,
    Object.entries(abi.constants)
      .map(([name, value]) => `export const ${name} = ${value};\n`)
      .join(""),
    `// Names in the order of their numbers.\n` +
      Object.entries(abi.lists)
        .map((list) => listText(...list))
        .join(""),
    `/** Kernels whose work threads may share: units \`first\` to \`end\` − 1 at a time. By number in a job. */\n` +
      listText("SHARED_KERNELS", abi.sharedKernels) +
      `export type SharedKernel = (typeof SHARED_KERNELS)[number];\n`,
    `/** What a module exports. */\n` +
      `export type KernelFunctions = {\n${Object.entries(abi.functions).map(functionText).join("")}};\n`,
    VIEWS,
    `export const LARGEST_STRUCT_BYTES = ${Math.max(...sizes)};\n`,
    ...structsText(false),
  ];
  const full = [
    `${HEADER}/** Structs of the operations that an engine for attention does not have: a page without them does not download it. */\n`,
    VIEWS,
    ...structsText(true),
  ];
  const assembly =
    `// Generated by scripts/abi.mjs.\n/** Hash of the ABI and the version, also in \`src/runtime/abi.generated.ts\`. */\n` +
    `export const ABI_HASH: u32 = ${hash};\n`;
  const [hashFile, attentionFile, fullFile] = GENERATED;
  return { [hashFile]: assembly, [attentionFile]: attention.join("\n"), [fullFile]: full.join("\n") };
}

/** Writes the generated files that are out of date; returns their paths. */
export function refresh(root = ROOT) {
  const stale = Object.entries(generate(root)).filter(([path, text]) => {
    const file = join(root, path);
    return !existsSync(file) || readFileSync(file, "utf8") !== text;
  });
  for (const [path, text] of stale) writeFileSync(join(root, path), text);
  return stale.map(([path]) => relative(".", path));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) for (const path of refresh()) console.log(`written ${path}`);
