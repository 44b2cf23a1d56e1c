import { CmcpError, schemaProblem, type JsonObject } from "@cmcp/boundary";
import * as z from "zod";

/** Most facts of history that one bundle declares. */
export const MAX_HISTORY = 16;
/** Longest window of one, in seconds: thirty days. */
const MAX_WINDOW_SECONDS = 86_400 * 30;

const text = z.string().min(1).max(2_048);

const declarationSchema = z
  .strictObject({
    name: z.string().regex(/^[a-z][a-z0-9_]{0,63}$/, {
      error: "must be 1 to 64 of a-z, 0-9 and _, and begin with a letter",
    }),
    of: z.enum(["calls", "denials", "bytes_sent", "distinct"]),
    tool: text.optional(),
    server: text.optional(),
    outcome: z.enum(["allow", "redact", "advisory_deny"]).optional(),
    argument: text.optional(),
    window_seconds: z.int().min(1).max(MAX_WINDOW_SECONDS),
  })
  .refine(({ of, argument }) => (of === "distinct") === (argument !== undefined), {
    path: ["argument"],
    error: "names what is told apart with `of: distinct`, and nothing otherwise",
  })
  .refine(({ of, outcome }) => of === "calls" || outcome === undefined, {
    path: ["outcome"],
    error: "is for `of: calls` only",
  });

const historySchema = z
  .array(declarationSchema)
  .max(MAX_HISTORY)
  .refine((all) => new Set(all.map(({ name }) => name)).size === all.length, { error: "two have the same name" });

/** One fact of history: what is counted of a principal, in which window. Rules read it as `context.history.<name>`. */
export type HistoryDeclaration = Readonly<z.output<typeof declarationSchema>>;

/** The facts of history that a manifest declares. @throws CmcpError `POLICY_BUNDLE_INVALID` */
export function readHistory({ history = [] }: JsonObject): readonly HistoryDeclaration[] {
  const parsed = historySchema.safeParse(history);
  if (parsed.success) return parsed.data;
  const { key, text: why } = schemaProblem(parsed.error);
  throw new CmcpError("POLICY_BUNDLE_INVALID", `manifest.json: history${key === "" ? ": " : "."}${why}`);
}
