import * as z from "zod";
import { agentManifestSchema, conformanceProfile } from "./agent-manifest.ts";
import { attestationSchema } from "./attestation.ts";
import { enclaveSchema } from "./enclave.ts";
import { launcherKeys } from "./launcher.ts";
import { logSchema, witnessUrlsSchema } from "./log.ts";
import { killSwitchSchema, sinkPolicySchema } from "./limits.ts";
import { relativePath } from "./fields.ts";
import { domainsSchema, vocabularySchema } from "./vocabulary.ts";

/** `catalog` of the configuration. */
export const catalogSchema = z.strictObject({
  drift_policy: z
    .enum(["fail_closed", "warn_only"])
    .default("fail_closed")
    .describe(
      "What to do when a live tool differs from its approved definition or is gone: refuse its calls, or record " +
        "it and call. Under fail_closed a stdio server that differs refuses the start. Agents are shown the approved " +
        "text either way.",
    ),
});

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
  catalog_reload_interval_seconds: z
    .int()
    .min(0)
    .max(86_400)
    .default(0)
    .describe(
      "Seconds between looks for another catalog in catalog_path; 0 is never. Needs enclave.catalog_keys: only a catalog " +
        "with a higher version, approved by enclave.catalog_approvals of them, replaces the one in force. The approvals are " +
        "beside the catalog: those of `catalog.json` are in `catalog.versions.json`.",
    ),
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
  agent_manifest: agentManifestSchema
    .nullish()
    .describe(
      "Which agent manifests count. With this section every session opens under the manifest of its agent, and a caller without " +
        "one is refused.",
    ),
  conformance_profile: conformanceProfile
    .nullish()
    .describe(
      "A profile whose conditions the configuration must meet, else the gateway does not start. `aarm`: `agent_manifest` is set, and " +
        "`attestation.enforcement_mode` is `enforcing`.",
    ),
  log: logSchema.prefault({}),
  audit_db_path: relativePath.default("audit.db").describe("The host's audit store, seen from the configuration file."),
  audit_archive_path: relativePath
    .nullish()
    .describe(
      "Folder of bodies that left the host's audit store, seen from the configuration file. Without it they cannot " +
        "be read. With `log.auditors_term_days` they move there by themselves.",
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
