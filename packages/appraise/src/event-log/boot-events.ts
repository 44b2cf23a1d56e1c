import { bytesEqual, toHex } from "@cmcp/boundary";
import type { VerifierCrypto } from "../checks/crypto.ts";
import { EFI_GLOBAL_VARIABLE, parseEfiVariable, type EfiVariable } from "./efi-variable.ts";
import { EV_EFI_VARIABLE_DRIVER_CONFIG, EV_NO_ACTION, EV_SEPARATOR } from "./event-type.ts";
import { hash, type Bank } from "./hash-algorithm.ts";
import { bankDigest, type EventLog, type LogEvent } from "./parse.ts";
import type { RegisterKind } from "./replay.ts";

/** What became of the line between firmware and operating system in one register. */
export interface SeparatorState {
  readonly register: number;
  readonly state: "once" | "absent" | "repeated" | "error-value" | "disguised";
}

/** Facts of a boot that rest on digests alone. They hold once the log replays to signed register values. */
export interface BootEvents {
  readonly separators: readonly SeparatorState[];
  /** `returned` when the loader left boot services with success, which ends what firmware can measure. */
  readonly exitBootServices: "absent" | "invoked" | "returned";
  /** `unknown` when the register of secure boot does not say exactly once, before its separator. */
  readonly secureBoot: "enabled" | "disabled" | "unknown";
}

const ascii = new TextEncoder();
/** Data of EV_SEPARATOR: two values for an ordinary boot, one for an error before it (Platform Firmware Profile, EV_SEPARATOR). */
const SEPARATOR_DATA = [Uint8Array.of(0, 0, 0, 0), Uint8Array.of(0xff, 0xff, 0xff, 0xff)] as const;
const SEPARATOR_ERROR = Uint8Array.of(1, 0, 0, 0);
const INVOKED = ascii.encode("Exit Boot Services Invocation");
const RETURNED = ascii.encode("Exit Boot Services Returned with Success");

/** Registers that get a separator, the one that sees the end of boot services, and the one of secure boot. */
const PLACES: Readonly<
  Record<RegisterKind, { readonly separators: readonly number[]; readonly exit: number; readonly secureBoot: number }>
> = {
  pcr: { separators: [0, 1, 2, 3, 4, 5, 6, 7], exit: 5, secureBoot: 7 },
  // UEFI 38.4.1: PCR 1 and 7 go to register 1 (RTMR0), PCR 2 to 6 to register 2 (RTMR1).
  cc: { separators: [1, 2], exit: 2, secureBoot: 1 },
};

/**
 * Looks for the events an appraisal needs. An event counts by its digest, never by its type or data alone: those
 * are not measured, and whoever holds the log can write others. Throws `EVIDENCE_EVENT_LOG_MISMATCH` when an
 * event lacks a digest of the bank.
 */
export async function bootEvents(
  crypto: VerifierCrypto,
  log: EventLog,
  bank: Bank,
  kind: RegisterKind,
): Promise<BootEvents> {
  const places = PLACES[kind];
  const measured = log.events.filter(({ type }) => type !== EV_NO_ACTION);
  const known = await digestsOf(crypto, bank);
  const of = (register: number): readonly LogEvent[] => measured.filter((event) => event.register === register);
  const exit = of(places.exit).map((event) => toHex(bankDigest(event, bank)));
  const invoked = exit.indexOf(known.invoked);
  return {
    separators: places.separators.map((register) => ({ register, state: separatorState(of(register), bank, known) })),
    exitBootServices: invoked === -1 ? "absent" : exit.lastIndexOf(known.returned) > invoked ? "returned" : "invoked",
    secureBoot: await secureBootState(crypto, of(places.secureBoot), bank, known),
  };
}

interface KnownDigests {
  /** Hex digests of the ordinary separators. */
  readonly separators: readonly string[];
  readonly error: string;
  readonly invoked: string;
  readonly returned: string;
}

async function digestsOf(crypto: VerifierCrypto, bank: Bank): Promise<KnownDigests> {
  const [zeros = "", ones = "", error = "", invoked = "", returned = ""] = await Promise.all(
    [...SEPARATOR_DATA, SEPARATOR_ERROR, INVOKED, RETURNED].map(async (data) => toHex(await hash(crypto, bank, data))),
  );
  return { separators: [zeros, ones], error, invoked, returned };
}

function separatorState(events: readonly LogEvent[], bank: Bank, known: KnownDigests): SeparatorState["state"] {
  const separators = events.filter((event) => event.type === EV_SEPARATOR || isSeparatorDigest(event, bank, known));
  const [only] = separators;
  if (only === undefined) return "absent";
  if (separators.length > 1) return "repeated";
  if (toHex(bankDigest(only, bank)) === known.error) return "error-value";
  const expected = SEPARATOR_DATA[known.separators.indexOf(toHex(bankDigest(only, bank)))];
  return only.type === EV_SEPARATOR && expected !== undefined && bytesEqual(only.data, expected) ? "once" : "disguised";
}

function isSeparatorDigest(event: LogEvent, bank: Bank, known: KnownDigests): boolean {
  return known.separators.includes(toHex(bankDigest(event, bank)));
}

/** Secure boot as firmware measured it: one variable, its data covered by its digest, before the separator. */
async function secureBootState(
  crypto: VerifierCrypto,
  events: readonly LogEvent[],
  bank: Bank,
  known: KnownDigests,
): Promise<BootEvents["secureBoot"]> {
  const variables = events.filter(
    ({ type, data }) => type === EV_EFI_VARIABLE_DRIVER_CONFIG && isSecureBoot(readVariable(data)),
  );
  const [event] = variables;
  const value = event === undefined ? undefined : readVariable(event.data)?.data;
  if (event === undefined || value === undefined || variables.length > 1) return "unknown";
  if (!bytesEqual(await hash(crypto, bank, event.data), bankDigest(event, bank))) return "unknown";
  if (events.some((other) => other.number < event.number && isSeparatorDigest(other, bank, known))) return "unknown";
  if (value.length === 0 || bytesEqual(value, Uint8Array.of(0))) return "disabled";
  return bytesEqual(value, Uint8Array.of(1)) ? "enabled" : "unknown";
}

function isSecureBoot(variable: EfiVariable | undefined): boolean {
  return variable?.vendor === EFI_GLOBAL_VARIABLE && variable.name === "SecureBoot";
}

function readVariable(data: Uint8Array): EfiVariable | undefined {
  try {
    return parseEfiVariable(data);
  } catch {
    // Data that is no variable cannot be the one looked for.
    return undefined;
  }
}
