import { writeEvidenceFile } from "@cmcp/appraise/evidence";
import { reportDataOf } from "@cmcp/attestation";
import { handOverBinding, type HandOver } from "@cmcp/audit";
import { toBase64Url, type JsonObject } from "@cmcp/boundary";
import type { InstanceParts } from "./compose-instance.ts";
import type { ServerParts } from "./compose-servers.ts";
import type { AcceptedLaunch, LaunchContents } from "./launch.ts";
import type { SealKeys } from "../instance/seal-keys.ts";
import type { SigningKey } from "../instance/signing-key.ts";
import { GATEWAY_VERSION } from "../instance/version.ts";
import type { LogPast } from "../record/read-log.ts";

/** What a hand-over is made of. */
export interface HandOverInputs {
  readonly bundle: Pick<LaunchContents["bundle"], "hash">;
  readonly catalog: Pick<LaunchContents["catalog"], "hash">;
  readonly instance: Pick<InstanceParts, "clock" | "identity" | "collect">;
  readonly sealKeys: Pick<SealKeys, "name">;
  readonly key: SigningKey;
  readonly past: Pick<LogPast, "history" | "predecessor">;
  readonly servers: Pick<ServerParts, "surface">;
}

/**
 * The first record of this instance: who it is, what it runs, and the log that it continues, with the platform's evidence over all of it.
 * @throws CmcpError `ATTESTATION_REPORT_UNAVAILABLE`
 */
export async function handOverOf(
  launch: Pick<AcceptedLaunch, "digest" | "platform" | "witnesses" | "lostStore">,
  from: HandOverInputs,
): Promise<HandOver> {
  const { bundle, catalog, instance, sealKeys, key, past, servers } = from;
  const { clock, identity, collect } = instance;
  const { platform, measurement } = launch.platform.launch;
  const said: HandOver = {
    jwk: key.jwk,
    gateway_version: GATEWAY_VERSION,
    policy_hash: bundle.hash,
    catalog_hash: catalog.hash,
    launch_digest: launch.digest,
    platform,
    measurement,
    seal_keys: sealKeys.name,
    boot_time: clock.now().toISOString(),
    history: past.history,
    predecessor: past.predecessor,
    ...(launch.lostStore === null ? {} : { lost_store: launch.lostStore }),
    ...(launch.witnesses === null ? {} : { witnesses: launch.witnesses.text }),
    ...(servers.surface === null ? {} : { stdio_tools: servers.surface }),
    ...(identity === null ? {} : { sealed_identity: toBase64Url(identity.sealed) }),
  };
  if (platform === "software-only") return said;
  const evidence = await collect(reportDataOf(key.thumbprint, handOverBinding(said)));
  return { ...said, evidence: JSON.parse(JSON.stringify(writeEvidenceFile(evidence))) as JsonObject };
}
