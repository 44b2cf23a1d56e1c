import { CmcpError } from "@cmcp/boundary";
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

/** The known word nearest to an unknown one; of equally near ones the first. */
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

// A key is somebody's text: shown shortened and without control characters.
const shown = (key: PropertyKey): string =>
  String(key)
    .slice(0, MAX_NAMED)
    .replace(/[^\x20-\x7e]/g, "?");
const dotted = (path: readonly PropertyKey[]): string => path.map(shown).join(".");

/**
 * Turns the first finding of a schema, an unknown key before others, into `CONFIG_INVALID` that names the file, the key
 * and, for an unknown key, the nearest known one.
 */
export function configError(error: z.ZodError, schema: z.ZodType, file: string): CmcpError {
  // A misspelled key that is needed is also a missing one; the misspelling says more.
  const issue = error.issues.find(({ code }) => code === "unrecognized_keys") ?? error.issues[0];
  if (issue === undefined)
    return new CmcpError("CONFIG_INVALID", `${file}: not a valid configuration`, { detail: { file } });
  if (issue.code === "unrecognized_keys") {
    const unknown = issue.keys[0] ?? "";
    const key = dotted([...issue.path, unknown]);
    const near = nearestWord(unknown, keysAt(schema, issue.path));
    const hint = near === undefined ? "" : `; the nearest known key is ${dotted([...issue.path, near])}`;
    return new CmcpError("CONFIG_INVALID", `${file}: ${key}: unknown key${hint}`, { detail: { file, key } });
  }
  const key = issue.path.length === 0 ? "the document" : dotted(issue.path);
  return new CmcpError("CONFIG_INVALID", `${file}: ${key}: ${issue.message}`, { detail: { file, key } });
}
