/** One issue as zod reports it, without a dependency on zod. */
interface SchemaIssue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly code?: string | undefined;
  readonly keys?: readonly string[];
}

/** What is wrong with a value, and at which key. */
export interface SchemaProblem {
  /** The dotted path of the key, or `the document`. */
  readonly key: string;
  /** The key and what is wrong with it. */
  readonly text: string;
}

/** Longest part of a path that a message shows, in characters. */
const MAX_SHOWN = 64;

// Whoever wrote the document chose its keys: they are shortened, and control characters are replaced.
const shown = (step: PropertyKey): string =>
  String(step)
    .slice(0, MAX_SHOWN)
    .replace(/[^\x20-\x7e]/g, "?");

/** A path with dots, `the document` for its top. */
export function dottedPath(path: readonly PropertyKey[]): string {
  return path.length === 0 ? "the document" : path.map(shown).join(".");
}

/**
 * Describes the first issue of a schema error. An unknown key comes before other issues: a misspelled key that is
 * required is also reported as missing, and the misspelling says more.
 */
export function schemaProblem({ issues }: { readonly issues: readonly SchemaIssue[] }): SchemaProblem {
  const issue = issues.find(({ code }) => code === "unrecognized_keys") ?? issues[0];
  const unknown = issue?.code === "unrecognized_keys" ? (issue.keys ?? []).slice(0, 1) : [];
  const key = dottedPath([...(issue?.path ?? []), ...unknown]);
  const reason = unknown.length > 0 ? "unknown key" : (issue?.message ?? "not valid");
  return { key, text: `${key}: ${reason}` };
}
