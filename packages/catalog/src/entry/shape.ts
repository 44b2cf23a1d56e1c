import * as z from "zod";
import {
  MAX_ARGUMENT_KINDS,
  MAX_DESCRIPTION,
  MAX_EGRESS,
  MAX_ISSUER_PINS,
  MAX_ROOT_NAMES,
  MAX_TEXT,
  MAX_TOOL_NAME,
} from "../limits.ts";
import { approval, text } from "./described.ts";
import { secrets } from "./secrets.ts";

const jsonObject = z.record(z.string(), z.json());

/** Visible ASCII: a name that looks like another, or that JCS and code-point order would sort differently, has no place here. */
export const visibleName = z
  .string()
  .min(1)
  .max(MAX_TOOL_NAME)
  .regex(/^[\x21-\x7e]+$/, "must be visible ASCII without spaces");

const LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
const DNS_NAME = new RegExp(`^${LABEL}(?:\\.${LABEL})*$`);

/** Whether a host is written as every program writes it: a lower-case DNS name, an IPv4 or a bare IPv6 address. */
function isCanonicalHost(host: string): boolean {
  const written = host.includes(":") ? `[${host}]` : host;
  return (written !== host || DNS_NAME.test(host)) && URL.parse(`http://${written}`)?.hostname === written;
}

/** A host that a stdio server may reach, and the port there. */
const egressTarget = z.strictObject({
  host: z.string().min(1).max(253).refine(isCanonicalHost, {
    error: "must be a lower-case DNS name or an IP address, without wildcards, brackets or a final dot",
  }),
  port: z.int().min(1).max(65_535),
});

/** Why a catalog has no such host to reach; `null` where it can. */
export function egressProblem(target: { readonly host: string; readonly port: number }): string | null {
  const [issue] = egressTarget.safeParse(target).error?.issues ?? [];
  return issue === undefined ? null : `${issue.path.join(".")}: ${issue.message}`;
}

/** How a stdio server is started. */
export const spawn = z.strictObject({
  command: text,
  args: z.array(z.string().max(MAX_TEXT)).max(256).optional(),
  binary_digest: text.nullish(),
  measure_target: text.nullish(),
  secrets: secrets.optional(),
  /** What it may reach over the network, beside nothing. */
  egress: z.array(egressTarget).max(MAX_EGRESS).optional(),
});

/** A server's key as a catalog pins it. */
export const fingerprint = z
  .string()
  .regex(/^SHA256:[A-Za-z0-9+/]{43}=?$/, "must be SHA256: and the base64 of 32 bytes");

/** How a server that is reached over TLS is known: see `trust.ts`. */
export const trust = {
  /** Absent: `pinned`. */
  trust: z.enum(["pinned", "webpki", "private-ca", "spiffe", "attested"]).optional(),
  /** Keys of authorities, one of which must be above the server. */
  issuer_pins: z.array(fingerprint).min(1).max(MAX_ISSUER_PINS).optional(),
  /** Names in the configuration's `enclave.server_roots`. */
  roots: z.array(z.string().min(1).max(64)).min(1).max(MAX_ROOT_NAMES).optional(),
  /** The server's SPIFFE ID, for `spiffe`. */
  spiffe_id: z.string().max(MAX_TEXT).nullish(),
};

/** Whether the operator vouches for the text of a server's results. */
export const integrity = z.enum(["trusted", "untrusted"]).default("untrusted");

const server = z.strictObject({
  display_name: text,
  url: text.optional(),
  tls_fingerprint: fingerprint.optional(),
  ...trust,
  transport: z.enum(["http-sse", "streamable-http", "stdio"]),
  spawn: spawn.optional(),
  rotation_mode: z.enum(["key-pinned", "cert-pinned"]).default("key-pinned"),
  integrity,
  provenance: z.strictObject({ record_path: text, publisher_jwk: jsonObject }).optional(),
});

/** One tool's catalog entry as its file has it; unknown keys are errors. */
export const entrySchema = z.strictObject({
  tool_name: visibleName,
  /** What the server calls it, where agents know it by another name. */
  server_tool_name: visibleName.optional(),
  server,
  approved_definition: z.strictObject({
    description: z.string().max(MAX_DESCRIPTION),
    input_schema: jsonObject,
    output_schema: jsonObject.nullish(),
  }),
  ...approval,
  /** `approved_definition.input_schema` with its open objects closed: what agents are shown and arguments are held to. */
  input_schema: jsonObject.nullish(),
  /** Whether arguments that the input schema does not declare are let through. */
  additional: z.enum(["allow", "refuse"]).default("refuse"),
  /** Whether calls have effects that text of a stranger must not cause. */
  consequential: z.boolean().default(false),
  /**
   * What results are projected by where fields are redacted and the server gives no output schema: the operator's, no
   * part of what was approved.
   */
  projection_schema: jsonObject.nullish(),
  /** Which top-level arguments hold paths or URLs, beside those whose schema says so; no part of what was approved. */
  argument_kinds: z
    .record(z.string().min(1).max(MAX_TOOL_NAME), z.enum(["path", "url"]))
    .refine((kinds) => Object.keys(kinds).length <= MAX_ARGUMENT_KINDS, {
      error: `at most ${MAX_ARGUMENT_KINDS} arguments`,
    })
    .nullish(),
  catalog_exception: z.boolean().default(false),
});

/** A catalog entry whose shape was checked. */
export type CatalogEntry = z.infer<typeof entrySchema>;
/** The server part of a checked entry. */
export type EntryServer = CatalogEntry["server"];
