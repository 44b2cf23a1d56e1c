import { readFile } from "node:fs/promises";
import { CmcpError, parseJson, untrusted, type JsonObject } from "@cmcp/boundary";
import { z } from "zod";

const label = z.string().min(1).max(64);

const savedCallSchema = z.strictObject({
  tool: z.string().max(256),
  arguments: z.record(z.string(), z.json()).default({}),
  principal: z.string().min(1).max(128).default("default"),
  workflow: z.string().min(1).max(128).default("default"),
  /** Highest label the session has seen, and the label it stands at; the first when only that is given. */
  session_max_sensitivity: label.default("public"),
  session_sensitivity: label.optional(),
  enforcement_mode: z.enum(["enforcing", "advisory", "silent"]).default("enforcing"),
  /** Labels of the deployment with their ranks, as `sensitivity.vocabulary`. */
  vocabulary: z.record(z.string(), z.int()).default({}),
});

/** A call to decide without making it. */
export type SavedCall = Omit<z.output<typeof savedCallSchema>, "arguments"> & { readonly arguments: JsonObject };

/** Reads a saved call. @throws CmcpError `USAGE` naming the member that is wrong */
export async function readSavedCall(path: string): Promise<SavedCall> {
  let value: unknown;
  try {
    value = parseJson(untrusted(await readFile(path)));
  } catch (thrown) {
    throw new CmcpError("USAGE", `${path}: ${thrown instanceof CmcpError ? thrown.message : "cannot be read"}`, { cause: thrown });
  }
  const parsed = savedCallSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new CmcpError("USAGE", `${path}: ${issue?.code === "unrecognized_keys" ? `unknown member ${issue.keys.join(", ").slice(0, 64)}` : `${issue?.path.join(".") || "the call"}: ${issue?.message ?? "not valid"}`}`);
}
