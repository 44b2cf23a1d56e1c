/** Renders the error codes as the tables of docs/reference/errors.md. */
import { readFile } from "node:fs/promises";
import { ERROR_CODES, type ErrorCode } from "../packages/boundary/src/codes.ts";
import { row, type GeneratedSection } from "./generated-section.ts";

const SOURCE = new URL("../packages/boundary/src/codes.ts", import.meta.url);

function isCode(name: string): name is ErrorCode {
  return Object.hasOwn(ERROR_CODES, name);
}

/** The codes under the headings that stand as comments in their source, in its order. */
function grouped(source: string): Map<string, ErrorCode[]> {
  const groups = new Map<string, ErrorCode[]>();
  let heading = "Other";
  for (const line of source.split("\n")) {
    heading = /^ {2}\/\/ (.+)$/.exec(line)?.[1] ?? heading;
    const code = /^ {2}([A-Z0-9_]+): fact\(/.exec(line)?.[1];
    if (code !== undefined && isCode(code)) groups.set(heading, [...(groups.get(heading) ?? []), code]);
  }
  return groups;
}

async function render(): Promise<string> {
  const groups = grouped(await readFile(SOURCE, "utf8"));
  const found = [...groups.values()].flat();
  const missing = Object.keys(ERROR_CODES).filter((code) => !found.some((known) => known === code));
  if (missing.length > 0) throw new Error(`not found in the source: ${missing.join(", ")}`);
  return [...groups]
    .map(([heading, codes]) => {
      const rows = codes.map((code) =>
        row([
          `\`${code}\``,
          ERROR_CODES[code].http === null ? "" : String(ERROR_CODES[code].http),
          ERROR_CODES[code].action,
          ERROR_CODES[code].http === null ? "" : `\`${ERROR_CODES[code].advice}\``,
        ]),
      );
      return `\n### ${heading}\n\n${row(["code", "HTTP", "what to do", "advice"])}${row(["---", "---", "---", "---"])}${rows.join("")}`;
    })
    .join("");
}

/** The tables of docs/reference/errors.md. */
export const errorReference: GeneratedSection = { file: "docs/reference/errors.md", name: "errors", render };
