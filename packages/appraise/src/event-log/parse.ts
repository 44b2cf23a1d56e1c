import { ByteReader, CmcpError } from "@cmcp/boundary";
import { BANKS, hashAlgorithm, SHA1_ID, type Bank, type HashAlgorithm } from "./hash-algorithm.ts";
import { EV_NO_ACTION } from "./event-type.ts";

/** Largest log taken, in bytes. Boot logs of servers are 16 to 100 KiB, of which lists of forbidden images are most. */
export const MAX_LOG_BYTES = 1 << 20;
/** Most events taken. GRUB measures every command and stays below 200. */
export const MAX_LOG_EVENTS = 4096;
/** Largest data of one event, in bytes; a signature database with many entries comes to about 25 KiB. */
export const MAX_EVENT_BYTES = 128 * 1024;
/** Most digests of one event, and most algorithms a header may name. */
export const MAX_EVENT_DIGESTS = 8;
/** Highest register an event may name: PCR 23. A confidential-computing log names 1 to 4. */
export const MAX_REGISTER = 23;
/** What an event that extends nothing may name in place of a register, as Windows does. */
export const NO_REGISTER = 0xffffffff;

/** One event of the log. Replay proves only its digests; type and data stay unproven. */
export interface LogEvent {
  /** Position in the log, from 0; the header is not counted. */
  readonly number: number;
  /** PCR index, or CC measurement register index (1 is RTMR0); {@link NO_REGISTER} only where the type is EV_NO_ACTION. */
  readonly register: number;
  readonly type: number;
  /** Digests by TCG algorithm number. */
  readonly digests: ReadonlyMap<number, Uint8Array>;
  readonly data: Uint8Array;
}

export interface EventLog {
  /** The algorithms of the header; SHA-1 alone for the older form without one. */
  readonly algorithms: readonly HashAlgorithm[];
  readonly events: readonly LogEvent[];
}

/** Signature of the ACPI table beside the log: `CCEL`. */
const CCEL_TABLE = [0x43, 0x43, 0x45, 0x4c];
const SPEC_ID_SIGNATURE = "Spec ID Event03\0";

function malformed(why: string): CmcpError {
  return new CmcpError("EVIDENCE_MALFORMED", `event log: ${why}`);
}

/**
 * Parses a TCG boot log. One form is crypto-agile, with a `Spec ID Event03` header (TCG PC Client Platform Firmware
 * Profile section 10): a TPM's log, and the CCEL of a confidential VM (UEFI section 38.4.1). The other is the older
 * form with SHA-1 digests only. Unused room at the end, filled with 0xff or 0x00, is allowed.
 *
 * @throws CmcpError `EVIDENCE_MALFORMED` for anything else, and beyond the limits above.
 */
export function parseEventLog(bytes: Uint8Array): EventLog {
  if (bytes.length > MAX_LOG_BYTES) throw malformed(`${bytes.length} bytes, more than ${MAX_LOG_BYTES}`);
  if (isPadding(bytes, 0)) throw malformed("nothing was logged");
  if (CCEL_TABLE.every((byte, index) => bytes[index] === byte))
    throw malformed("this is the ACPI table that says where the log is, not the log");
  const reader = new ByteReader(bytes, "event log", "little");
  const first = readSha1Event(reader, 0);
  const algorithms = specIdAlgorithms(first);
  const events: LogEvent[] = algorithms === null ? [first] : [];
  while (reader.remaining > 0 && !isPadding(bytes, reader.offset)) {
    if (events.length === MAX_LOG_EVENTS) throw malformed(`more than ${MAX_LOG_EVENTS} events`);
    events.push(
      algorithms === null ? readSha1Event(reader, events.length) : readAgileEvent(reader, algorithms, events.length),
    );
  }
  return { algorithms: algorithms ?? [{ id: SHA1_ID, name: "sha1", size: 20 }], events };
}

/** The event's digest in a bank. Throws `EVIDENCE_EVENT_LOG_MISMATCH` when it has none. */
export function bankDigest(event: LogEvent, bank: Bank): Uint8Array {
  const digest = event.digests.get(BANKS[bank].id);
  if (digest === undefined)
    throw new CmcpError("EVIDENCE_EVENT_LOG_MISMATCH", `event ${event.number} of the log has no ${bank} digest`);
  return digest;
}

/** True when the log ends here: everything that follows is one repeated byte of unused memory. */
function isPadding(bytes: Uint8Array, from: number): boolean {
  const filler = bytes[from];
  return (filler === 0xff || filler === 0) && bytes.subarray(from).every((byte) => byte === filler);
}

/** TCG_PCR_EVENT: the form of the header, and of every event of a log without one. */
function readSha1Event(reader: ByteReader, number: number): LogEvent {
  const { register, type } = readRegisterAndType(reader);
  const digest = reader.take(20);
  return { number, register, type, digests: new Map([[SHA1_ID, digest]]), data: readData(reader) };
}

/** TCG_PCR_EVENT2. */
function readAgileEvent(reader: ByteReader, algorithms: readonly HashAlgorithm[], number: number): LogEvent {
  const { register, type } = readRegisterAndType(reader);
  const count = reader.u32();
  if (count > MAX_EVENT_DIGESTS) throw malformed(`event ${number} has ${count} digests`);
  const digests = new Map<number, Uint8Array>();
  for (let index = 0; index < count; index += 1) {
    const id = reader.u16();
    const algorithm = algorithms.find((candidate) => candidate.id === id);
    if (algorithm === undefined)
      throw malformed(`event ${number} has a digest of an algorithm that the header does not name`);
    if (digests.has(id)) throw malformed(`event ${number} has two ${algorithm.name} digests`);
    digests.set(id, reader.take(algorithm.size));
  }
  return { number, register, type, digests, data: readData(reader) };
}

function readRegisterAndType(reader: ByteReader): Pick<LogEvent, "register" | "type"> {
  const register = reader.u32();
  const type = reader.u32();
  if (register > MAX_REGISTER && !(register === NO_REGISTER && type === EV_NO_ACTION))
    throw malformed(`register ${register} does not exist`);
  return { register, type };
}

function readData(reader: ByteReader): Uint8Array {
  const length = reader.u32();
  if (length > MAX_EVENT_BYTES) throw malformed(`an event of ${length} bytes, more than ${MAX_EVENT_BYTES}`);
  return reader.take(length);
}

/** The algorithms a TCG_EfiSpecIDEvent announces, `null` when the event is no such header. */
function specIdAlgorithms(event: LogEvent): readonly HashAlgorithm[] | null {
  if (event.type !== EV_NO_ACTION || event.data.length < SPEC_ID_SIGNATURE.length) return null;
  const reader = new ByteReader(event.data, "event log header", "little");
  if (String.fromCharCode(...reader.take(SPEC_ID_SIGNATURE.length)) !== SPEC_ID_SIGNATURE) return null;
  // Platform class; then minor and major version, errata and the size of UINTN. Only the major version changes the layout.
  reader.skip(5);
  if (reader.u8() !== 2) throw malformed("the header is not of version 2");
  reader.skip(2);
  const count = reader.u32();
  if (count === 0 || count > MAX_EVENT_DIGESTS) throw malformed(`the header names ${count} algorithms`);
  const algorithms: HashAlgorithm[] = [];
  for (let index = 0; index < count; index += 1) algorithms.push(readAlgorithm(reader, algorithms));
  reader.skip(reader.u8());
  reader.end();
  return algorithms;
}

function readAlgorithm(reader: ByteReader, before: readonly HashAlgorithm[]): HashAlgorithm {
  const id = reader.u16();
  const size = reader.u16();
  if (before.some((algorithm) => algorithm.id === id)) throw malformed("the header names an algorithm twice");
  const known = hashAlgorithm(id);
  // The sizes in the header drive how every later event is read, so a wrong one would shift the whole log.
  if (known !== undefined && known.size !== size)
    throw malformed(`the header gives ${known.name} a size of ${size} bytes`);
  if (size === 0 || size > 64) throw malformed(`the header names a digest of ${size} bytes`);
  return known ?? { id, name: `0x${id.toString(16).padStart(4, "0")}`, size };
}
