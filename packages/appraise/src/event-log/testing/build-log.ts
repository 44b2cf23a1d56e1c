import { createHash } from "node:crypto";
import { BANKS, type Bank } from "../hash-algorithm.ts";

/** One event to write; digests default to those of the data, as most event types have them. */
export interface SampleEvent {
  readonly register: number;
  readonly type: number;
  readonly data: Uint8Array | string;
  /** What is hashed into the register when it is not the data. */
  readonly measured?: Uint8Array;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

/** The header of a crypto-agile log: a TCG_PCR_EVENT with a TCG_EfiSpecIDEvent. */
export function specIdHeader(algorithms: readonly (readonly [id: number, size: number])[]): Buffer {
  const event = Buffer.concat([
    Buffer.from("Spec ID Event03\0"),
    u32(0),
    Buffer.from([0, 2, 0, 2]),
    u32(algorithms.length),
    ...algorithms.map(([id, size]) => Buffer.concat([u16(id), u16(size)])),
    Buffer.from([0]),
  ]);
  return Buffer.concat([u32(0), u32(3), Buffer.alloc(20), u32(event.length), event]);
}

export function agileEvent({ register, type, data, measured }: SampleEvent, banks: readonly Bank[]): Buffer {
  const bytes = Buffer.from(data);
  const digests = banks.map((bank) =>
    Buffer.concat([
      u16(BANKS[bank].id),
      createHash(bank)
        .update(measured ?? bytes)
        .digest(),
    ]),
  );
  return Buffer.concat([u32(register), u32(type), u32(banks.length), ...digests, u32(bytes.length), bytes]);
}

/** A whole crypto-agile log. */
export function buildLog(events: readonly SampleEvent[], banks: readonly Bank[] = ["sha256"]): Uint8Array {
  return Buffer.concat([
    specIdHeader(banks.map((bank) => [BANKS[bank].id, BANKS[bank].size])),
    ...events.map((event) => agileEvent(event, banks)),
  ]);
}

/** The separators every firmware writes: one in each of PCR 0 to 7. */
export const SEPARATORS: readonly SampleEvent[] = Array.from({ length: 8 }, (_, register) => ({
  register,
  type: 4,
  data: new Uint8Array(4),
}));

/** What the loader writes when it leaves boot services. */
export const EXIT_BOOT_SERVICES: readonly SampleEvent[] = [
  { register: 5, type: 0x80000007, data: "Exit Boot Services Invocation" },
  { register: 5, type: 0x80000007, data: "Exit Boot Services Returned with Success" },
];
