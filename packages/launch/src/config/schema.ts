import { identitySchema } from "@cmcp/identity/schema";
import { stdioSchema } from "@cmcp/spawner/schema";
import * as z from "zod";
import { launcherKeys } from "./launcher.ts";
import { logSchema, witnessUrlsSchema } from "./log.ts";
import { budgetsSchema, killSwitchSchema, rateLimitsSchema, sinkPolicySchema } from "./limits.ts";
import { DEFAULT_PRINCIPAL, hostPort, origin, principalId, publicKey, relativePath, workflowId } from "./fields.ts";

const SECOND = 1000;
/** `sha256:` or `sha384:` and lowercase hex of that length. */
const MEASUREMENT = /^sha(?:256:[0-9a-f]{64}|384:[0-9a-f]{96})$/;
/** Providers there is evidence of. */
export const PROVIDERS = ["auto", "sev-snp", "tdx", "tpm", "azure-cvm", "software-only"] as const;
const milliseconds = z
  .int()
  .min(100)
  .max(3600 * SECOND);

/** EAT profile identifier of TRACE v0.2. */
export const EAT_PROFILE_V02 = "tag:agentrust-io.com,2026:trace-v0.2";
/** EAT profile identifier of TRACE v0.1, as first published. */
export const EAT_PROFILE_V01 = "tag:agentrust.io,2026:trace-v0.1";
/** Roles whose principals may read the launch document. */
export const LAUNCH_READERS = ["auditor", "operator"] as const;
/** Most principals one instance serves. */
export const MAX_PRINCIPALS = 1000;

/** Workflows of one principal. */
export const workflowsSchema = z.array(workflowId).min(1).max(256);
export const workflowToolsSchema = z
  .record(workflowId, z.array(z.string().min(1).max(256)).max(4096))
  .refine((workflows) => Object.keys(workflows).length <= 256, { error: "at most 256 workflows" });

/** Whether no two principals share an id. */
export function areDistinctPrincipals(principals: readonly { readonly id: string }[]): boolean {
  return new Set(principals.map(({ id }) => id)).size === principals.length;
}

export const attestationSchema = z.strictObject({
  provider: z
    .enum(PROVIDERS)
    .default("auto")
    .describe(
      "Where the attestation report comes from. An image has the one of its platform, and accepts its name and " +
        "`auto` only. In a process `auto` looks for sev-snp, tdx, azure-cvm, tpm in this order and takes the " +
        "first; software only with CMCP_DEV_MODE=1, where a TPM is not taken by `auto` because a launch stays in " +
        "its PCR 15 until the machine restarts.",
    ),
  enforcement_mode: z
    .enum(["enforcing", "advisory", "silent"])
    .default("enforcing")
    .describe(
      "`enforcing`: a call that policy denies is not made. `advisory`: it is made, recorded as `advisory_deny`, " +
        "and logged. `silent`: the same without the log line. What is not policy (a tool outside the catalog, " +
        "arguments outside the approved schema, a workflow or data class that is not allowed) is refused in every " +
        "mode.",
    ),
  validity_seconds: z
    .int()
    .min(1)
    .max(31_536_000)
    .default(86_400)
    .describe(
      "Seconds for which an attestation report is fresh. The gateway asks for another when three quarters of " +
        "them are over.",
    ),
  staleness_policy: z
    .enum(["fail_closed", "warn_only"])
    .nullable()
    .default("fail_closed")
    .describe(
      "What to do while the instance's report is older than validity_seconds: refuse requests with " +
        "ATTESTATION_STALE, or serve and record it.",
    ),
  expected_measurement: z
    .string()
    .regex(MEASUREMENT, { error: "must be sha256: or sha384: and lowercase hex" })
    .nullish()
    .describe(
      "Measurement the platform must report, else the gateway does not start: launch measurement (sev-snp, " +
        "azure-cvm), MRTD (tdx), or with a TPM the SHA-256 over PCRs 0 to 9 and 11 to 15 with PCR 15 still zero.",
    ),
  allow_unmeasured_spawn: z
    .boolean()
    .default(false)
    .describe("Allow stdio servers whose files the catalog does not pin."),
});

export const catalogSchema = z.strictObject({
  drift_policy: z
    .enum(["fail_closed", "warn_only"])
    .default("fail_closed")
    .describe(
      "What to do when a live tool differs from its approved definition or is gone: refuse its calls, or record " +
        "it and call. Agents are shown the approved text either way.",
    ),
});

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
        "first call to a server compares them.",
    ),
  upstream_connect_timeout_ms: milliseconds
    .default(10 * SECOND)
    .describe("Milliseconds until a connection to a tool server, TLS included, must stand."),
  upstream_idle_timeout_ms: milliseconds
    .default(30 * SECOND)
    .describe("Longest silence of a tool server while an answer is awaited, in milliseconds."),
  upstream_call_timeout_ms: milliseconds
    .default(120 * SECOND)
    .describe("Milliseconds one call to a tool server may take from first to last byte."),
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
      "Tools of each workflow, by its name: what rules find in `context.workflow_allowed_tools`. A workflow that " +
        "is not listed has none. Without this key every workflow has every tool of the catalog.",
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
        "catalog's `servers` give as `credential`, and a bearer token. Nobody but its owner may have access to it. " +
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
    .describe("The host relays only to these host:port pairs. Without it, to the servers of the catalog."),
});

/** Sensitivity labels of a deployment with their ranks, as the enclave's vocabulary accepts them. */
export const vocabularySchema = z
  .record(
    z.string().regex(/^[a-z0-9][a-z0-9_.-]{0,63}$/, {
      error: "a label is 1 to 64 of a-z, 0-9, '_', '.', '-' and starts with a letter or digit",
    }),
    z.int().min(0).max(1000),
  )
  .refine((labels) => Object.keys(labels).length <= 256, { error: "at most 256 labels" });

/** Compliance domains of a deployment, as the enclave's vocabulary accepts them: whether each is regulated. */
export const domainsSchema = z
  .record(
    z.string().regex(/^[a-z0-9][a-z0-9_.-]{0,63}$/, {
      error: "a domain is 1 to 64 of a-z, 0-9, '_', '.', '-' and starts with a letter or digit",
    }),
    z.boolean(),
  )
  .refine((domains) => Object.keys(domains).length <= 256, { error: "at most 256 domains" });

/**
 * Every key of `cmcp-config.yaml`. `unsupported-keys.ts` has those of the common format whose feature this version
 * lacks.
 */
export const configSchema = z.strictObject({
  attestation: attestationSchema.prefault({}),
  policy_bundle_path: relativePath
    .default("policies/")
    .describe("Folder with manifest.json, schema.cedarschema and the .cedar files, seen from the configuration file."),
  catalog_path: relativePath.default("catalog.json").describe("The tool catalog, seen from the configuration file."),
  ...launcherKeys,
  listen_addr: z
    .string()
    .max(300)
    .nullish()
    .describe("host:port of the HTTP endpoint. 127.0.0.1:8443 in development without a token, else 0.0.0.0:8443."),
  max_response_size_bytes: z
    .int()
    .min(1)
    .max(64 * 1024 * 1024)
    .default(2_097_152)
    .describe("Largest result of a tool that is delivered, in bytes."),
  policy_reload_interval_seconds: z
    .int()
    .min(0)
    .max(86_400)
    .default(0)
    .describe(
      "Seconds between looks for a newer policy bundle in policy_bundle_path; 0 is never. Needs " +
        "CMCP_POLICY_SIGNING_KEY: only a bundle with a higher version, signed with that key, replaces the one in " +
        "force. CMCP_POLICY_HASH then pins the first bundle.",
    ),
  catalog: catalogSchema.prefault({}),
  sensitivity: z
    .strictObject({
      vocabulary: vocabularySchema
        .nullish()
        .describe(
          "Further sensitivity labels with their ranks, such as `board_minutes: 4`. Built in are public 0, pii " +
            "1, confidential 2, hipaa_phi, mnpi and trade_secret 3; their ranks cannot be changed.",
        ),
      compliance_domains: domainsSchema
        .nullish()
        .describe(
          "Further compliance domains, such as `gdpr: true`: whether a call that leaves the domain is recorded as a " +
            "crossing. What data of such a domain is, its entries say with `sensitivity_level`.",
        ),
    })
    .nullish(),
  kill_switch: killSwitchSchema.prefault({}),
  sink_policy: sinkPolicySchema
    .nullish()
    .describe("Where data may go, by its label. Without it there are no ceilings."),
  log: logSchema.prefault({}),
  audit_db_path: relativePath.default("audit.db").describe("The host's audit store, seen from the configuration file."),
  audit_archive_path: relativePath
    .nullish()
    .describe(
      "Folder of bodies that left the host's audit store, seen from the configuration file. Without it they cannot be read.",
    ),
  log_key_path: relativePath
    .default("log.key")
    .describe(
      "The log's key, seen from the configuration file: witnesses know the log by it. The host makes it where " +
        "there is none. It is used only with `log.witnesses`.",
    ),
  former_witnesses: logSchema.shape.witnesses.describe(
    "The witness policy that `log.witnesses` replaces. The first start under another policy needs both quorums on one head.",
  ),
  witness_urls: witnessUrlsSchema
    .default({})
    .describe(
      "Where the host reaches each witness of `log.witnesses` and `former_witnesses`, by its name there: the " +
        "URL under which it takes checkpoints.",
    ),
  enclave: enclaveSchema.prefault({}).describe("Settings of this gateway beyond the common ones."),
});

/** The file as written, with defaults filled in. */
export type ConfigFile = z.output<typeof configSchema>;
