import { createHash } from "node:crypto";
import { bytesEqual, CmcpError, toHex } from "@cmcp/boundary";
import {
  LAUNCH_REGISTER,
  QUOTED_REGISTERS,
  REPORT_DATA_BYTES,
  type Evidence,
  type TpmParts,
} from "@cmcp/appraise/evidence";
import { readEventLog } from "../machine/read-event-log.ts";
import { loadAttestationKey, type AttestationKey } from "./commands/attestation-key.ts";
import { describeTpm } from "./commands/capability.ts";
import { ALGORITHM } from "./commands/codes.ts";
import { readPcrs } from "./commands/pcr.ts";
import { pcrDigest } from "./commands/policy.ts";
import { quote } from "./commands/quote.ts";
import { Tpm } from "./commands/tpm.ts";
import type { TpmTransport } from "./transport/transport.ts";

/** The firmware's event log of the first TPM. */
export const EVENT_LOG_PATH = "/sys/kernel/security/tpm0/binary_bios_measurements";
/** How often registers are read again that changed between the reading and the quote. */
const MAX_READINGS = 3;

/** Where a TPM is, and its event log. */
export interface TpmSource {
  readonly open: () => Promise<TpmTransport>;
  /** `null` for a TPM that no firmware measured into. */
  readonly eventLogPath: string | null;
}

/** Qualifying data of the quote that binds all 64 bytes of report_data: SHA-256("cmcp-tpm-v1" ‖ report_data). */
export function tpmQualifyingData(reportData: Uint8Array): Uint8Array {
  return createHash("sha256").update("cmcp-tpm-v1").update(reportData).digest();
}

/** Runs `work` with a connection to the TPM, and nothing of it left in the TPM's memory afterwards. */
export async function withTpm<T>(source: Pick<TpmSource, "open">, work: (tpm: Tpm) => Promise<T>): Promise<T> {
  const tpm = new Tpm(await source.open());
  try {
    return await work(tpm);
  } finally {
    await tpm.close();
  }
}

/** Runs `work` with an attestation key that is released afterwards. */
export async function withAttestationKey<T>(
  load: () => Promise<AttestationKey>,
  work: (key: AttestationKey) => Promise<T>,
): Promise<T> {
  const key = await load();
  try {
    return await work(key);
  } finally {
    await key.release();
  }
}

/**
 * Evidence of a TPM 2.0: its registers quoted twice, and what made them so.
 *
 * @param reportData 64 bytes
 * @param now milliseconds since the epoch
 * @throws CmcpError `ATTESTATION_REPORT_UNAVAILABLE`
 */
export async function collectTpm(reportData: Uint8Array, now: number, source: TpmSource): Promise<Evidence> {
  return await withTpm(source, async (tpm) => {
    const firmware = await describeTpm(tpm);
    const parts = await withAttestationKey(
      async () => await loadAttestationKey(tpm),
      async (key) => await quoteRegisters(tpm, key, reportData, source.eventLogPath),
    );
    return {
      platform: "tpm2",
      measurement: `sha256:${toHex(pcrDigest(parts.registers))}`,
      reportData: Uint8Array.from(reportData),
      firmware: `TPM 2.0 ${firmware}`,
      generatedAt: now,
      parts: { provider: "tpm", tpm: parts },
    };
  });
}

/**
 * SHA-256 over the quoted registers as they were before the launch was measured: what was started, whatever it was
 * launched with. `sha256:` and hex.
 */
export async function measureImage(tpm: Tpm): Promise<string> {
  const registers = await readPcrs(tpm, { bank: ALGORITHM.sha256, registers: QUOTED_REGISTERS });
  return `sha256:${toHex(pcrDigest(registers.set(LAUNCH_REGISTER, new Uint8Array(32))))}`;
}

/** Both quotes over {@link QUOTED_REGISTERS} with the values they are over. */
export async function quoteRegisters(
  tpm: Tpm,
  key: AttestationKey,
  reportData: Uint8Array,
  eventLogPath: string | null,
): Promise<TpmParts> {
  if (reportData.length !== REPORT_DATA_BYTES)
    throw new CmcpError("INTERNAL", `report_data is ${REPORT_DATA_BYTES} bytes`);
  const selection = { bank: ALGORITHM.sha256, registers: QUOTED_REGISTERS };
  for (let reading = 0; reading < MAX_READINGS; reading += 1) {
    const registers = await readPcrs(tpm, selection);
    const full = await quote(tpm, key.handle, tpmQualifyingData(reportData), selection);
    const keyQuote = await quote(tpm, key.handle, reportData.subarray(0, REPORT_DATA_BYTES / 2), selection);
    const digest = pcrDigest(registers);
    if (![full, keyQuote].every(({ attest }) => bytesEqual(attest.subarray(-digest.length), digest))) continue;
    return {
      quote: full,
      keyQuote,
      attestationKey: key.publicArea,
      certificates: key.certificates,
      bank: selection.bank,
      registers,
      eventLog: eventLogPath === null ? null : await readEventLog(eventLogPath),
    };
  }
  throw new CmcpError("ATTESTATION_REPORT_UNAVAILABLE", "the TPM's registers changed each time they were quoted");
}
