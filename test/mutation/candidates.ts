import { readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { ROOT } from "../gateway/deployment.ts";
import { EQUIVALENT } from "./equivalent.ts";
import type { Equivalent } from "./equivalent/equivalent-mutant.ts";
import { lineOf, nameOf, type Mutant } from "./mutant.ts";
import type { Judged } from "./packages.ts";
import type { Project } from "./project.ts";

/** A mutant as reports and `equivalent/` name it. */
export interface Described {
  readonly file: string;
  readonly line: { readonly number: number; readonly text: string };
  readonly name: string;
}

/** Where a mutant is, and what it changes. */
export function describe(mutant: Mutant): Described {
  const source = readFileSync(mutant.file, "utf8");
  return { file: relative(ROOT, mutant.file), line: lineOf(source, mutant), name: nameOf(source, mutant) };
}

function isThe(equivalent: Equivalent, { file, line, name }: Described): boolean {
  return equivalent.file === file && equivalent.line === line.text && equivalent.name === name;
}

/** The mutants of a package that are not equivalent to its source. Errors: one on the list stands for no mutant. */
export function candidates({ sources }: Judged, project: Project): Mutant[] {
  const mutants = project.mutants(join(ROOT, sources));
  const listed = EQUIVALENT.filter(({ file }) => file.startsWith(`${sources}/`));
  const files = new Set(listed.map(({ file }) => join(ROOT, file)));
  const described = new Map(
    mutants.filter(({ file }) => files.has(file)).map((mutant) => [mutant, describe(mutant)] as const),
  );
  for (const one of listed)
    if (![...described.values()].some((other) => isThe(one, other)))
      throw new Error(`no mutant in ${one.file} is "${one.name}" on the line "${one.line}"`);
  return mutants.filter((mutant) => {
    const known = described.get(mutant);
    return known === undefined || !listed.some((one) => isThe(one, known));
  });
}
