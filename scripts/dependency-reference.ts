/** Renders the table of allowed dependencies of docs/explanation/architecture.md from the test that holds them. */
import { readFile } from "node:fs/promises";
import { row, type GeneratedSection } from "./generated-section.ts";

const SOURCE = new URL("../test/architecture/dependencies.test.ts", import.meta.url);

async function render(): Promise<string> {
  const source = await readFile(SOURCE, "utf8");
  const [, list = ""] = /const ALLOWED[^=]*= \{\n([^}]*)\};/.exec(source) ?? [];
  const rows = [...list.matchAll(/^ {2}"?([a-z/-]+)"?: \[([^\]]*)\],$/gm)].map(([, folder = "", names = ""]) =>
    row([`\`${folder}\``, [...names.matchAll(/"[^"]+"/g)].join(", ").replaceAll('"', "`")]),
  );
  if (rows.length === 0) throw new Error("the allowed dependencies were not found in the test");
  return `\n${row(["folder", "may import at run time"])}${row(["---", "---"])}${rows.join("")}`;
}

/** The table of docs/explanation/architecture.md. */
export const dependencyReference: GeneratedSection = {
  file: "docs/explanation/architecture.md",
  name: "dependencies",
  render,
};
