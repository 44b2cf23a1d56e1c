/** Keys of `enclave`: settings beyond the common format. */
import { bundlesSchema } from "@cmcp/identity/bundle";
import { identitySchema } from "@cmcp/identity/schema";
import { stdioSchema } from "@cmcp/spawner/schema";
import * as z from "zod";
import {
  approvalSeconds,
  approvalUrl,
  approvalWebhook,
  approversSchema,
  DEFAULT_APPROVAL_SECONDS,
} from "./approvals.ts";
import { catalogApprovals, catalogKeysSchema } from "./catalog-keys.ts";
import { budgetsSchema, rateLimitsSchema } from "./limits.ts";
import { DEFAULT_PRINCIPAL, hostPort, origin, principalId, publicKey, relativePath, workflowId } from "./fields.ts";

const SECOND = 1000;
/** Seconds for which a deferred call may wait. */
export const deferSeconds = z.int().min(0).max(60);
const milliseconds = z
  .int()
  .min(100)
  .max(3600 * SECOND);

/** EAT profile identifier of TRACE v0.2. */
export const EAT_PROFILE_V02 = "tag:agentrust-io.com,2026:trace-v0.2";
/** EAT profile identifier of TRACE v0.1, as first published. */
export const EAT_PROFILE_V01 = "tag:agentrust.io,2026:trace-v0.1";
/** One certificate in PEM (RFC 7468), or the base64 of its DER. */
const CERTIFICATE =
  /^(?:-----BEGIN CERTIFICATE-----\s[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*|[A-Za-z0-9+/]+={0,2})$/;

/** How long a call waits that a rule defers unless the configuration says otherwise, in seconds. */
export const DEFAULT_DEFER_SECONDS = 10;
/** Roles whose principals may read the launch document. */
export const LAUNCH_READERS = ["auditor", "operator"] as const;
/** Most principals one instance serves. */
export const MAX_PRINCIPALS = 1000;

/** Workflows of one principal. */
export const workflowsSchema = z.array(workflowId).min(1).max(256);
const toolNames = z.array(z.string().min(1).max(256)).max(4096);
/** Tools that lists show where there is a search. */
export const listedToolsSchema = toolNames;
export const workflowToolsSchema = z
  .record(workflowId, toolNames)
  .refine((workflows) => Object.keys(workflows).length <= 256, { error: "at most 256 workflows" });

/** Whether no two principals share an id. */
export function areDistinctPrincipals(principals: readonly { readonly id: string }[]): boolean {
  return new Set(principals.map(({ id }) => id)).size === principals.length;
}

const findingLabel = z.string().min(1).max(64).optional();

/** Classes of findings, and the label that each raises. */
export const findingLabelsSchema = z.strictObject({
  secrets: findingLabel.describe("Keys, tokens and private keys, by the rules of gitleaks."),
  personal_data: findingLabel.describe("Payment cards, IBANs, national and medical record numbers."),
  contacts: findingLabel.describe("E-mail addresses and telephone numbers."),
  injection_marks: findingLabel.describe("Tags and phrases that give a model orders."),
  hidden_text: findingLabel.describe("Text that a person does not see."),
  carrying_links: findingLabel.describe("Links and images whose address carries data."),
});

/** Authorities of one's own, certificates of one, and characters of one in PEM. */
const MAX_SERVER_ROOTS = 16;
const MAX_ROOT_CERTIFICATES = 16;
const MAX_ROOT_TEXT = 16_384;

/** Roots that vouch for tool servers, by name. */
export const serverRootsSchema = z
  .record(
    z.string().regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, {
      error: "must be 1 to 64 lower case letters, digits, hyphens and underscores",
    }),
    z
      .array(
        z
          .string()
          .max(MAX_ROOT_TEXT)
          .regex(CERTIFICATE, { error: "must be a certificate in PEM, or the base64 of its DER" }),
      )
      .min(1)
      .max(MAX_ROOT_CERTIFICATES),
  )
  .refine((roots) => Object.keys(roots).length <= MAX_SERVER_ROOTS, { error: `at most ${MAX_SERVER_ROOTS} names` });

export const enclaveSchema = z.strictObject({
  eat_profile: z
    .enum([EAT_PROFILE_V02, EAT_PROFILE_V01])
    .default(EAT_PROFILE_V02)
    .describe("EAT profile a claim names; a verifier accepts exactly the one it was told."),
  claims: z
    .enum(["session", "call"])
    .default("session")
    .describe(
      "`session`: a claim is made when a session closes or somebody asks for it. `call`: also after every call, " +
        "over the session so far; the result's `_meta` names it. Each has the whole transcript so far, so " +
        "calls of long sessions get slower.",
    ),
  max_sessions: z
    .int()
    .min(1)
    .max(100_000)
    .default(4096)
    .describe("Most sessions at one time; a further one is refused."),
  max_sessions_per_principal: z
    .int()
    .min(1)
    .max(100_000)
    .default(64)
    .describe("Most sessions of one principal at one time."),
  session_idle_seconds: z
    .int()
    .min(1)
    .max(86_400 * 30)
    .default(3600)
    .describe("Seconds without use after which a session is closed, with its claim if anything was recorded in it."),
  sensitivity_floor_seconds: z
    .int()
    .min(1)
    .max(86_400 * 365)
    .default(86_400 * 30)
    .describe("Seconds for which what a principal has seen outlives its last session, restarts included."),
  channel: z
    .enum(["plain", "sealed"])
    .default("plain")
    .describe(
      "How requests with a token reach the enclave. `sealed`: only sealed to its keys, so that the host reads none of " +
        "them. `plain`: also in the clear. Sealed requests are always taken.",
    ),
  pad_sealed_answers: z
    .boolean()
    .default(true)
    .describe("Whether sealed answers are padded to the next power of two, from 512 bytes."),
  integrity: z
    .strictObject({
      scope: z
        .enum(["session", "principal"])
        .default("session")
        .describe(
          "Whose integrity counts for `consequential` tools and for rules: that of the session, or of all sessions of " +
            "the principal together.",
        ),
    })
    .nullish(),
  finding_labels: findingLabelsSchema
    .nullish()
    .describe(
      "Labels that what detectors find in arguments and results raises, by class. Without this key findings raise none.",
    ),
  drift_check_seconds: z
    .int()
    .min(1)
    .max(86_400)
    .default(300)
    .describe(
      "Longest time for which a comparison of a server's live tools with the approved ones is relied on. The " +
        "first call to a server compares them, and each call of a `consequential` tool.",
    ),
  upstream_connect_timeout_ms: milliseconds
    .default(10 * SECOND)
    .describe("Milliseconds until a connection to a tool server, TLS included, must stand."),
  upstream_idle_timeout_ms: milliseconds
    .default(30 * SECOND)
    .describe(
      "Longest silence of a tool server while an answer is awaited, in milliseconds. The host's relay ends a connection " +
        "that is silent for 240000, whatever this says.",
    ),
  upstream_call_timeout_ms: milliseconds
    .default(120 * SECOND)
    .describe("Milliseconds one call to a tool server may take from first to last byte."),
  server_roots: serverRootsSchema
    .nullish()
    .describe(
      "Root certificates of authorities of your own, each in PEM or as the base64 of its DER, by a name that the catalog's " +
        "servers with `trust: private-ca` give in `roots`. They vouch for those servers and no other.",
    ),
  spiffe_bundles: bundlesSchema
    .nullish()
    .describe(
      "SPIFFE bundles, by the names of their trust domains: for enclave.identity.spiffe, and for the catalog's servers with " +
        "`trust: spiffe`. Each is a JWK set, as `spire-server bundle show -format spiffe` prints it.",
    ),
  stdio: stdioSchema.optional().describe("How stdio servers of the catalog run."),
  workflows: workflowsSchema
    .default(["default"])
    .describe(
      "Workflows of every principal that lists none of its own. A call that names no workflow has its caller's only " +
        "one. If there are several it has `default` if that is among them, and is refused with `WORKFLOW_REQUIRED` if not.",
    ),
  workflow_tools: workflowToolsSchema
    .nullish()
    .describe(
      "Tools of each workflow, by its name: what rules find in `context.workflow_allowed_tools`, and what is listed and " +
        "called at the workflow's endpoint, `/mcp/NAME`. The catalog must have them. A workflow that " +
        "is not listed has none. Without this key every workflow has every tool of the catalog.",
    ),
  tool_search: z
    .boolean()
    .default(false)
    .describe(
      "Whether agents have the gateway's own tool `cmcp_search_tools`, which finds tools among those that policy lets the " +
        "caller see. Rules decide its calls like any other tool's. Where enclave.workflow_tools is set, a workflow that " +
        "names it has it. No tool of the catalog may have its name.",
    ),
  listed_tools: listedToolsSchema
    .nullish()
    .describe(
      "The only tools that lists show beside `cmcp_search_tools`. The others can be found and called. It needs " +
        "enclave.tool_search, and the catalog must have them. Without this key every tool is listed.",
    ),
  principals: z
    .array(
      z.strictObject({
        id: principalId.describe("Name in policies, records and the token file."),
        workflows: workflowsSchema
          .nullish()
          .describe("Workflows this principal may name in its requests, instead of enclave.workflows."),
        role: z
          .enum(["agent", ...LAUNCH_READERS])
          .nullish()
          .describe(
            "`agent`: calls, and gets what its claims need. `auditor` and `operator`: reads the launch document " +
              "as well, with policy, catalog and configuration, at `GET /launch-document` and beside the evidence " +
              "of its own sessions.",
          ),
      }),
    )
    .min(1)
    .max(MAX_PRINCIPALS)
    .refine(areDistinctPrincipals, { error: "duplicate principal" })
    .default([{ id: DEFAULT_PRINCIPAL }])
    .describe(
      "Who may call. CMCP_BEARER_TOKEN is the token of `default`; those of others stand in enclave.token_file.",
    ),
  identity: identitySchema.nullish().describe("Who may call beside the holders of bearer tokens."),
  token_file: relativePath
    .nullish()
    .describe(
      "File of bearer tokens, seen from the configuration file: lines of a principal's id and the sha256: of its " +
        "token, as `cmcp token new` prints them. Nobody but its owner may have access to it. Read again on SIGHUP.",
    ),
  credentials_file: relativePath
    .nullish()
    .describe(
      "File of what tool servers ask the gateway for, seen from the configuration file: lines of a name that the " +
        "catalog's `servers` give as `credential`, or a stdio server's `spawn.secrets`, and a bearer token. Nobody " +
        "but its owner may have access to it. " +
        "Read again on SIGHUP. The host sees it.",
    ),
  operator_keys: z
    .array(publicKey)
    .max(64)
    .default([])
    .describe(
      "Ed25519 public keys, base64url, whose signed statements may reset a session, trip and lift the kill switch, or " +
        "change the policy signing key.",
    ),
  catalog_keys: catalogKeysSchema
    .default([])
    .describe(
      "Who may approve another catalog while the gateway runs. Without keys the catalog of the launch document stays. " +
        "A key is revoked by taking it out, in another launch document.",
    ),
  catalog_approvals: catalogApprovals
    .nullish()
    .describe("How many of enclave.catalog_keys must approve a catalog. It is needed where there are keys."),
  provisioning_keys: z
    .array(publicKey)
    .max(64)
    .default([])
    .describe(
      "Ed25519 public keys, base64url, whose holders give the enclave tokens and credentials, in statements that are signed " +
        "and sealed to it (`cmcp provision`). The host then gives none: enclave.token_file, enclave.credentials_file and " +
        "CMCP_BEARER_TOKEN are refused. Without keys the host gives them unsigned, which is for development.",
    ),
  approvers: approversSchema
    .default([])
    .describe(
      'Who may approve calls that policy refuses with `@aarm_decision("step_up")`, and calls of consequential tools in ' +
        "untrusted sessions: a name, and an Ed25519 public key, base64url (`cmcp key new`), or a passkey (`cmcp approvals register`). " +
        "Without any they are refused.",
    ),
  approval_seconds: approvalSeconds
    .default(DEFAULT_APPROVAL_SECONDS)
    .describe("How long a call waits for approvals. They then count for nothing."),
  approval_url: approvalUrl
    .nullish()
    .describe(
      "Where a person is sent to approve: agents of MCP 2026-07-28 that show URLs get it with the approval's id at its end. " +
        "It should say how to run `cmcp approvals`, and needs to show nothing of the call.",
    ),
  approval_webhook: approvalWebhook.nullish(),
  defer_seconds: deferSeconds
    .default(DEFAULT_DEFER_SECONDS)
    .describe(
      'How long a call waits that policy refuses with `@aarm_decision("defer")`. It is decided again meanwhile. With 0 it is refused at once.',
    ),
  rate_limits: rateLimitsSchema
    .default([])
    .describe(
      "Limits on calls that go out. All that apply hold, so the stricter of two decides. Windows start afresh with the " +
        "instance.",
    ),
  budgets: budgetsSchema
    .default([])
    .describe("Limits on the bytes of requests that go out, as for enclave.rate_limits."),
  allowed_origins: z
    .array(origin)
    .max(64)
    .default([])
    .describe(
      "Origins of web pages that may call and read what they are answered, such as https://app.example.org. A " +
        "page of any other origin is refused. A request without an Origin header is not from a browser and is not " +
        "affected.",
    ),
  egress_allow: z
    .array(hostPort)
    .max(256)
    .nullish()
    .describe(
      "The host relays only to these host:port pairs. Without it, to the servers of the catalog, what its stdio servers " +
        "declare as egress, the servers of issuers' jwks_uri, and enclave.approval_webhook.",
    ),
});
