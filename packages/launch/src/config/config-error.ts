import { CmcpError, dottedPath, schemaProblem } from "@cmcp/boundary";
import * as z from "zod";
import { unwrapSchema, memberSchema } from "./schema-members.ts";

/** Number of single-character insertions, deletions and replacements between two short words. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

const MAX_NAMED = 64;

/** The known word with the smallest edit distance to an unknown one; the first of several. */
export function nearestWord(word: string, known: readonly string[]): string | undefined {
  const shortened = word.slice(0, MAX_NAMED);
  let best: { readonly candidate: string; readonly distance: number } | undefined;
  for (const candidate of known) {
    const distance = editDistance(shortened, candidate);
    if (best === undefined || distance < best.distance) best = { candidate, distance };
  }
  return best?.candidate;
}

/** Keys of a mapping; where it may have one of several forms, those of each. */
function keysOf(schema: unknown): readonly string[] {
  if (schema instanceof z.ZodObject) return Object.keys(schema.shape);
  return schema instanceof z.ZodUnion ? [...new Set(schema.options.flatMap(keysOf))] : [];
}

function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  return keysOf(path.reduce<unknown>((at, step) => unwrapSchema(memberSchema(at, step)), unwrapSchema(schema)));
}

/**
 * Describes the first issue of a configuration as `CONFIG_INVALID`. The message names the file, the key and, for an
 * unknown key, the nearest known one.
 */
export function configError(error: z.ZodError, schema: z.ZodType, file: string): CmcpError {
  const { key, text } = schemaProblem(error);
  const unknown = error.issues.find((issue) => issue.code === "unrecognized_keys");
  let hint = "";
  if (unknown !== undefined) {
    const near = nearestWord(unknown.keys[0] ?? "", keysAt(schema, unknown.path));
    if (near !== undefined) hint = `; the nearest known key is ${dottedPath([...unknown.path, near])}`;
  }
  return new CmcpError("CONFIG_INVALID", `${file}: ${text}${hint}`, { detail: { file, key } });
}
