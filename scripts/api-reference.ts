/** Renders the public declarations of a package, with an example for each function, as a page of docs/reference/api. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { GeneratedSection } from "./generated-section.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (file: string): string => readFileSync(join(root, file), "utf8");

/** Packages whose entry points others may build on. */
export const API_PACKAGES = ["verify", "claim", "wire"] as const;

/** An exported name and the source, from the repository's root, that declares it. */
interface Declared {
  readonly name: string;
  readonly kind: "function" | "class" | "const" | "interface" | "type";
  /** The docstring and the declaration without its body. */
  readonly text: string;
}

/** File of an example: `verifyClaim` has `verify-claim.ts`. */
export function exampleOf(folder: string, name: string): string {
  const file = name.replaceAll(/(?<=[a-z0-9])[A-Z]/g, (letter) => `-${letter}`).toLowerCase();
  return `packages/${folder}/examples/${file}.ts`;
}

/** The source that a module specifier of a source names. */
function sourceOf(specifier: string, from: string): string {
  if (specifier.startsWith(".")) return join(dirname(from), specifier);
  const [, name = "", path = ""] = /^@cmcp\/([a-z-]+)(\/.*)?$/.exec(specifier) ?? [];
  const folder = `packages/${name}`;
  const { exports } = JSON.parse(read(join(folder, "package.json"))) as { exports: Record<string, string> };
  const entry = exports[`.${path}`];
  if (entry === undefined) throw new Error(`${from} names ${specifier}, which is no entry point`);
  return join(folder, entry);
}

const DECLARATION = /^export (?:abstract )?(?:async )?(function|class|const|interface|type)\*? (\w+)/;

/** Whether brackets of a text are all closed. */
function balanced(text: string): boolean {
  const plain = text.replaceAll(/\/\*\*[^]*?\*\/|"[^"\n]*"|=>/g, "");
  return ["()", "{}", "[]"].every(([open = "", close = ""]) => plain.split(open).length === plain.split(close).length);
}

/** Lines of a declaration's head: up to the brace that opens the body, or its end. */
function head(lines: readonly string[], at: number): string {
  let text = "";
  for (const line of lines.slice(at)) {
    text += `${text === "" ? "" : "\n"}${line}`;
    if (text.endsWith(" {") && balanced(text.slice(0, -2))) return `${text.slice(0, -2)};`;
    if (text.endsWith(";") && balanced(text)) return text;
  }
  return text;
}

/** The docstring that ends above a line, with its line breaks; empty where there is none. */
function docstring(lines: readonly string[], at: number): string {
  if (lines[at - 1]?.endsWith("*/") !== true) return "";
  let from = at - 1;
  while (lines[from]?.trimStart().startsWith("/**") === false) from -= 1;
  return `${lines.slice(from, at).join("\n")}\n`;
}

/** Public methods and getters of a class, with their docstrings. */
function members(lines: readonly string[], at: number): string {
  const end = lines.indexOf("}", at);
  return lines
    .slice(at + 1, end)
    .flatMap((line, index) =>
      /^ {2}(?:static |async |get )*[a-z]\w*\(/.test(line)
        ? [docstring(lines, at + 1 + index) + head(lines, at + 1 + index)]
        : [],
    )
    .join("\n");
}

function declaration(lines: readonly string[], at: number, kind: Declared["kind"]): string {
  const exported = (text: string): string => text.replace("export ", "").replace("async function", "function");
  switch (kind) {
    case "function":
      return docstring(lines, at) + exported(head(lines, at));
    case "class":
      return `${docstring(lines, at)}${exported(lines[at] ?? "")}\n${members(lines, at)}\n}`;
    case "const": {
      const line = exported(lines[at] ?? "");
      return docstring(lines, at) + (line.endsWith(";") ? line : line.replace(/ =.*$/, ";"));
    }
    case "interface": {
      const end = lines.findIndex((line, index) => index >= at && /^}|^export interface.*\{\}$/.test(line));
      return docstring(lines, at) + exported(lines.slice(at, end + 1).join("\n"));
    }
    case "type":
      return docstring(lines, at) + exported(head(lines, at));
  }
}

/** Every name that a source exports, in its order, with the declaration. */
function exportsOf(file: string): Declared[] {
  const source = read(file);
  const lines = source.split("\n");
  const own = lines.flatMap((line, at): Declared[] => {
    const [, kind, name = ""] = DECLARATION.exec(line) ?? [];
    return kind === undefined
      ? []
      : [{ name, kind: kind as Declared["kind"], text: declaration(lines, at, kind as Declared["kind"]) }];
  });
  const passed = Array.from(source.matchAll(/^export (?:type )?(\*|\{[^}]*\}) from "([^"]+)";$/gm)).flatMap(
    ([, list = "", specifier = ""]) => {
      const found = exportsOf(sourceOf(specifier, file));
      if (list === "*") return found;
      return [...list.matchAll(/\w+(?= *[,}])/g)].flatMap(([name]) => found.filter((one) => one.name === name));
    },
  );
  return [...passed, ...own];
}

function code(text: string): string {
  return `\`\`\`ts\n${text.trimEnd()}\n\`\`\`\n`;
}

function entry(folder: string, { name, text }: Declared): string {
  const example = exampleOf(folder, name);
  if (!existsSync(join(root, example))) return `### ${name}\n\n${code(text)}\n`;
  return `### ${name}\n\n${code(text)}\n[Example](../../../${example}):\n\n${code(read(example))}\n`;
}

function page(folder: string): GeneratedSection {
  return {
    file: `docs/reference/api/${folder}.md`,
    name: "api",
    render: () => {
      const all = exportsOf(`packages/${folder}/src/index.ts`).sort((a, b) => (a.name < b.name ? -1 : 1));
      const sections = [
        ["Functions and classes", all.filter(({ kind }) => kind === "function" || kind === "class")],
        ["Types", all.filter(({ kind }) => kind === "interface" || kind === "type")],
        ["Values", all.filter(({ kind }) => kind === "const")],
      ] as const;
      return `\n${sections
        .filter(([, list]) => list.length > 0)
        .map(([heading, list]) => `## ${heading}\n\n${list.map((one) => entry(folder, one)).join("")}`)
        .join("")}`;
    },
  };
}

/** One page for each of {@link API_PACKAGES}. */
export const apiReference: readonly GeneratedSection[] = API_PACKAGES.map(page);
