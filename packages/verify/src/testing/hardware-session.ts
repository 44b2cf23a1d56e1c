import { createHash } from "node:crypto";
import { writeEvidenceFile, type Evidence, type EvidenceJson } from "@cmcp/appraise/evidence";
import { sessionReportData } from "@cmcp/attestation";
import type { AuditEntry } from "@cmcp/audit";
import type { Claim } from "@cmcp/claim";
import { Machine, signedReport, type ReportOptions } from "../../../appraise/src/sev-snp/testing/machine.ts";
import type { Issued } from "../../../appraise/src/testing/authority.ts";
import { Instance, relink } from "./instance.ts";
import { CATALOG_HASH, POLICY_HASH, altered, claimOf, entriesOf } from "./session.ts";

/** What the reports here say was measured, hex. */
export const MEASUREMENT = "aa".repeat(48);

/** What a session is to be; what is left out is as on a sound machine. */
export interface SessionOptions {
  readonly instance?: Instance;
  readonly hostData?: Uint8Array;
  readonly reportData?: (right: Uint8Array) => Uint8Array;
  /** POLICY of the report. */
  readonly guestPolicy?: bigint;
  /** Other fields of the report. */
  readonly fields?: ReportOptions["fields"];
  /** Policy bundles in the order they came into force. */
  readonly policies?: readonly { readonly hash: string; readonly version: string }[];
  readonly catalogHash?: string;
}

/** A session on a machine of the test's own: its evidence is whole, and its claim names it. */
export interface HardwareSession {
  readonly instance: Instance;
  readonly entries: readonly AuditEntry[];
  readonly claim: Claim;
  readonly evidence: EvidenceJson;
}

/** The entries of a session whose policy was replaced after its calls, once for each further policy. */
function entriesUnder(
  instance: Instance,
  launchDigest: string,
  { policies = [], catalogHash = CATALOG_HASH }: SessionOptions,
): AuditEntry[] {
  const [first = { hash: POLICY_HASH, version: "1.0.0" }, ...later] = policies;
  const entries = entriesOf(instance).map((entry, index) => ({
    ...entry,
    detail: {
      ...entry.detail,
      policy_hash: entry.entry_type === "session_end" ? (later.at(-1) ?? first).hash : first.hash,
      ...(index === 0
        ? { policy_version: first.version, catalog_hash: catalogHash, launch_digest: `sha256:${launchDigest}` }
        : {}),
    },
  }));
  const [root, end] = [entries[0], entries.at(-1)];
  if (root === undefined || end === undefined) throw new Error("a session has entries");
  const loads = later.map(({ hash, version }, index) => ({
    ...end,
    entry_type: "policy_load" as const,
    detail: { policy_hash: hash, policy_version: version, previous_policy_hash: (later[index - 1] ?? first).hash },
  }));
  return relink([...entries.slice(0, -1), ...loads, end]);
}

export async function hardwareSession(
  machine: Machine,
  key: Issued,
  launchDocument: Uint8Array,
  options: SessionOptions = {},
): Promise<HardwareSession> {
  const { instance = new Instance(), policies = [], catalogHash = CATALOG_HASH } = options;
  const launchDigest = createHash("sha256").update(launchDocument).digest();
  const entries = entriesUnder(instance, launchDigest.toString("hex"), options);
  const reportData = sessionReportData(instance.thumbprint, entries[0]?.entry_hash ?? "");
  const report = await signedReport(machine.product, key, {
    fields: [
      [0x50, (options.reportData ?? ((right) => right))(reportData)],
      [0xc0, options.hostData ?? new Uint8Array(launchDigest)],
      ...(options.guestPolicy === undefined ? [] : [[0x08, options.guestPolicy, 8] as const]),
      ...(options.fields ?? []),
    ],
  });
  const evidence: Evidence = {
    platform: "amd-sev-snp",
    measurement: `sha384:${MEASUREMENT}`,
    reportData,
    firmware: "1.55.40",
    generatedAt: Date.now(),
    parts: {
      provider: "sev-snp",
      report,
      certificates: [key, machine.signing.VCEK, machine.signing.VLEK, machine.root].map(({ der }) => der),
    },
  };
  const software = claimOf(instance, entries);
  const latest = policies.at(-1);
  const claim = instance.claim(
    altered(software, (draft) => {
      draft.trace.runtime.platform = "amd-sev-snp";
      draft.trace.runtime.measurement = evidence.measurement;
      draft.trace.runtime.firmware_version =
        software.trace.runtime.firmware_version?.replace(/^[^;]*/, "1.55.40") ?? "";
      draft.gateway.catalog.hash = catalogHash;
      if (latest !== undefined)
        Object.assign(draft.trace.policy, { bundle_hash: latest.hash, version: latest.version });
    }),
  );
  return {
    instance,
    entries,
    claim,
    evidence: writeEvidenceFile(evidence, { rootEntry: { ...entries[0] }, launchDocument }),
  };
}
