import { createHash, hash, webcrypto } from "node:crypto";
import { appraisalPolicySchema } from "@cmcp/appraise";
import { parseEventLog, replay } from "../../../../packages/appraise/src/event-log/index.ts";
import {
  EXIT_BOOT_SERVICES,
  SEPARATORS,
  buildLog,
  type SampleEvent,
} from "../../../../packages/appraise/src/event-log/testing/build-log.ts";
import { QUOTED_REGISTERS } from "../../../../packages/appraise/src/tpm/quoted-registers.ts";
import { evidenceDocument } from "../../../../packages/appraise/src/tpm/testing/evidence-document.ts";
import { sampleEvidence, sampleKey } from "../../../../packages/appraise/src/tpm/testing/sample-quote.ts";
import { TARGETS } from "../../plan.ts";
import type { Sample } from "./genuine.ts";

/** Events of the log. */
const EVENTS = 200;
const DIGEST_BYTES = 32;
/** EV_IPL of the TCG PC Client Platform Firmware Profile: what a boot loader measures, in PCR 8 and 9. */
const EV_IPL = 0x0d;

function bootEvents(): readonly SampleEvent[] {
  const loader = Array.from(
    { length: EVENTS - SEPARATORS.length - EXIT_BOOT_SERVICES.length },
    (_, index): SampleEvent => ({ register: 8 + (index % 2), type: EV_IPL, data: `grub_cmd: step ${index}` }),
  );
  return [...SEPARATORS, ...loader, ...EXIT_BOOT_SERVICES];
}

/** A quote with a log of {@link EVENTS} events in two banks, signed by a key made here: the corpus has no quote with a log as long. */
export async function tpmSample(): Promise<Sample> {
  const eventLog = Uint8Array.from(buildLog(bootEvents(), ["sha256", "sha384"]));
  const replayed = await replay(webcrypto, parseEventLog(eventLog), "sha256", "pcr");
  const values = new Map(
    QUOTED_REGISTERS.map((register) => [register, replayed.get(register)?.value ?? new Uint8Array(DIGEST_BYTES)]),
  );
  const reportData = new Uint8Array(64).fill(5);
  const key = sampleKey("ecdsa");
  const extraData = createHash("sha256").update("cmcp-tpm-v1").update(reportData).digest();
  const evidence = { ...sampleEvidence(key, values, { extraData }), eventLog };
  const measurement = createHash("sha256")
    .update(Buffer.concat([...values.values()]))
    .digest("hex");
  return {
    name: `TPM quote with a log of ${EVENTS} events`,
    platform: "tpm",
    files: {
      evidence: new TextEncoder().encode(JSON.stringify(evidenceDocument(evidence))),
      certificates: [],
      collateral: [],
    },
    policy: appraisalPolicySchema.parse({
      required: ["report_data", "measurement", "event_log"],
      tpm: { attestation_key_sha256: [hash("sha256", key.spki)] },
    }),
    expected: { reportData, measurements: [measurement] },
    at: new Date("2026-08-20T00:00:00Z"),
    boundMs: TARGETS.verifyTpmMs,
  };
}
