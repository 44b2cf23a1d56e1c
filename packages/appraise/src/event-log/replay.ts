import { CmcpError } from "@cmcp/boundary";
import type { VerifierCrypto } from "../checks/crypto.ts";
import { BANKS, hash, type Bank } from "./hash-algorithm.ts";
import { EV_NO_ACTION } from "./event-type.ts";
import { bankDigest, type EventLog, type LogEvent } from "./parse.ts";

/**
 * What the register numbers of a log mean: PCRs of a TPM, or confidential-computing measurement registers, where
 * 0 is the launch measurement and 1 to 4 are RTMR0 to RTMR3 (UEFI section 38.4.1).
 */
export type RegisterKind = "pcr" | "cc";

const PCR_COUNT = 24;
const CC_FIRST = 1;
const CC_LAST = 4;
/** PCRs that only a dynamic launch resets: they start with every bit set (TCG PC Client Platform TPM Profile, PCR attributes). */
const DYNAMIC_FIRST = 17;
const DYNAMIC_LAST = 22;
const STARTUP_LOCALITY = "StartupLocality\0";

/** Digests that a log says extended each register, in their order. */
export type LoggedDigests = ReadonlyMap<number, readonly Uint8Array[]>;

/** The result of a replay: the value a register must have, and whether the log says anything about it. */
export interface ReplayedRegister {
  readonly value: Uint8Array;
  /** Events that extended the register. None means that `value` is the one it has after a reset. */
  readonly extended: number;
}

/**
 * Replays one bank of a log: `R = H(R ‖ digest)` for every event but EV_NO_ACTION, from the values a reset gives
 * (PCR 0 from the startup locality the log names, PCRs 17 to 22 all ones, everything else zero).
 *
 * @returns every PCR (0 to 23), or the registers 1 to 4 for `cc`.
 * @throws CmcpError `EVIDENCE_EVENT_LOG_MISMATCH` when an event lacks a digest of the bank or names a register
 * that nothing can extend, `EVIDENCE_MALFORMED` for a startup locality that contradicts itself.
 */
export async function replay(
  crypto: VerifierCrypto,
  log: EventLog,
  bank: Bank,
  kind: RegisterKind,
): Promise<ReadonlyMap<number, ReplayedRegister>> {
  const digests = digestsByRegister(log, bank, kind);
  const locality = kind === "pcr" ? startupLocality(log) : 0;
  // The registers do not depend on each other, and every digest waits for a thread: side by side is several times faster.
  const values = await Promise.all(
    [...digests].map(([register, list]) => extendAll(crypto, bank, initialValue(register, kind, bank, locality), list)),
  );
  return new Map(
    [...digests].map(([register, list], index) => [
      register,
      { value: values[index] ?? new Uint8Array(), extended: list.length },
    ]),
  );
}

/** What extended the PCRs of a log. It is shown by nothing but a {@link replay} that holds. @throws CmcpError as {@link replay} */
export function loggedDigests(log: EventLog, bank: Bank): LoggedDigests {
  return digestsByRegister(log, bank, "pcr");
}

function digestsByRegister(log: EventLog, bank: Bank, kind: RegisterKind): Map<number, Uint8Array[]> {
  const digests = new Map<number, Uint8Array[]>();
  for (
    let register = kind === "pcr" ? 0 : CC_FIRST;
    register <= (kind === "pcr" ? PCR_COUNT - 1 : CC_LAST);
    register += 1
  )
    digests.set(register, []);
  for (const event of log.events) {
    if (event.type === EV_NO_ACTION) continue;
    const of = digests.get(event.register);
    if (of === undefined)
      throw new CmcpError(
        "EVIDENCE_EVENT_LOG_MISMATCH",
        `event ${event.number} of the log extends register ${event.register}, which does not exist`,
      );
    of.push(bankDigest(event, bank));
  }
  return digests;
}

/**
 * The locality from which TPM2_Startup was given, 0 when the log does not say: the last byte of PCR 0 before the
 * first measurement (TCG PC Client Platform Firmware Profile, TCG_EfiStartupLocalityEvent).
 */
export function startupLocality(log: EventLog): number {
  const stated = log.events.filter(isStartupLocality);
  const [event] = stated;
  if (event === undefined) return 0;
  if (stated.length > 1) throw new CmcpError("EVIDENCE_MALFORMED", "event log: two startup localities");
  const before = log.events.some(
    ({ number, register, type }) => number < event.number && register === 0 && type !== EV_NO_ACTION,
  );
  if (before)
    throw new CmcpError("EVIDENCE_MALFORMED", "event log: a startup locality after the first measurement of PCR 0");
  const locality = event.data[STARTUP_LOCALITY.length] ?? 0;
  if (locality !== 0 && locality !== 3 && locality !== 4)
    throw new CmcpError("EVIDENCE_MALFORMED", `event log: a TPM cannot start from locality ${locality}`);
  return locality;
}

function isStartupLocality({ register, type, data }: LogEvent): boolean {
  return (
    type === EV_NO_ACTION &&
    register === 0 &&
    data.length === STARTUP_LOCALITY.length + 1 &&
    String.fromCharCode(...data.subarray(0, -1)) === STARTUP_LOCALITY
  );
}

/** The value of a register that nothing extended. */
function initialValue(register: number, kind: RegisterKind, bank: Bank, locality = 0): Uint8Array {
  const value = new Uint8Array(BANKS[bank].size);
  if (kind === "cc") return value;
  if (register >= DYNAMIC_FIRST && register <= DYNAMIC_LAST) return value.fill(0xff);
  if (register === 0) value[value.length - 1] = locality;
  return value;
}

async function extendAll(
  crypto: VerifierCrypto,
  bank: Bank,
  initial: Uint8Array,
  digests: readonly Uint8Array[],
): Promise<Uint8Array> {
  let value = initial;
  for (const digest of digests) value = await hash(crypto, bank, value, digest);
  return value;
}
