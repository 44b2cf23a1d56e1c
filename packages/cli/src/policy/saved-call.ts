import { CmcpError, parseJson, untrusted, type JsonObject, schemaProblem } from "@cmcp/boundary";
import { z } from "zod";
import { readSmallFile } from "../read-file.ts";

const label = z.string().min(1).max(64);
const text = z.string().min(1).max(2048);

const savedCallSchema = z
  .strictObject({
    tool: z.string().max(256),
    arguments: z.record(z.string(), z.json()).default({}),
    principal: z.string().min(1).max(128).default("default"),
    workflow: z.string().min(1).max(128).default("default"),
    /** What `enclave.workflow_tools` gives that workflow; every tool of the catalog when absent. */
    workflow_allowed_tools: z.array(z.string().max(256)).max(4096).optional(),
    /** Highest label the session has stood at, and the label it stands at. */
    session_max_sensitivity: label.optional(),
    session_sensitivity: label.optional(),
    /** Compartments that the session has seen beside that label. */
    compartments: z.array(label).max(512).default([]),
    /** Whether the session has seen text of a server without trust. */
    integrity: z.enum(["trusted", "untrusted"]).default("trusted"),
    /** Earlier results that stand in the arguments, and whether none is missing. */
    flows: z
      .array(
        z.strictObject({
          source_server: text,
          source_tool: text,
          labels: z.array(label).max(512).default([]),
          kind: z.enum(["exact", "fingerprint", "encoded"]),
          path: z.string().max(2048).default(""),
          coverage: z.int().min(1).max(100),
        }),
      )
      .max(64)
      .default([]),
    flows_complete: z.boolean().default(true),
    enforcement_mode: z.enum(["enforcing", "advisory", "silent"]).default("enforcing"),
    /** Labels of the deployment with their ranks, as `sensitivity.vocabulary`. */
    vocabulary: z.record(z.string(), z.int()).default({}),
    /** Domains of the deployment, as `sensitivity.compliance_domains`. */
    compliance_domains: z.record(z.string(), z.boolean()).default({}),
    /** What rules find in `context.history`, and whether it is complete. */
    history: z.record(z.string().max(64), z.int().nonnegative()).default({}),
    history_complete: z.boolean().default(true),
    /** What the server answered: then its delivery is decided, once the call is allowed. */
    result: z.record(z.string(), z.json()).optional(),
    /** How the caller was recognised; issuer, subject and claims are those of a JWT. */
    identity_source: z.enum(["bearer", "jwt", "tokenless"]).default("bearer"),
    identity_issuer: text.optional(),
    user_identity: text.optional(),
    identity_claims: z
      .array(
        z
          .string()
          .max(2048)
          .regex(/^[a-z][a-z0-9_]{0,47}=/, { error: "must be name=value" }),
      )
      .max(2048)
      .default([]),
    /** SPIFFE ID by the host's word. */
    host_asserted_identity: text.optional(),
  })
  .superRefine((call, context) => {
    const isJwt = call.identity_source === "jwt";
    for (const member of ["identity_issuer", "user_identity"] as const) {
      if ((call[member] !== undefined) !== isJwt)
        context.addIssue({
          code: "custom",
          path: [member],
          message: isJwt ? "is needed with identity_source jwt" : "is known with identity_source jwt only",
        });
    }
    if (call.identity_claims.length > 0 && !isJwt)
      context.addIssue({
        code: "custom",
        path: ["identity_claims"],
        message: "are known with identity_source jwt only",
      });
  });

/** A call to decide without making it. */
export type SavedCall = Omit<z.output<typeof savedCallSchema>, "arguments" | "result"> & {
  readonly arguments: JsonObject;
  readonly result?: JsonObject | undefined;
};

/** Reads a saved call. @throws CmcpError `USAGE` naming the member that is wrong */
export async function readSavedCall(path: string): Promise<SavedCall> {
  const bytes = await readSmallFile(path);
  let value: unknown;
  try {
    value = parseJson(untrusted(bytes));
  } catch (thrown) {
    throw new CmcpError("USAGE", `${path}: ${thrown instanceof CmcpError ? thrown.message : "not JSON"}`, {
      cause: thrown,
    });
  }
  const parsed = savedCallSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new CmcpError("USAGE", `${path}: ${schemaProblem(parsed.error).text}`);
}
