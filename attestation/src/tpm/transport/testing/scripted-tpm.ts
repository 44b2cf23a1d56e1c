import { Tpm } from "../../commands/tpm.ts";
import type { TpmTransport } from "../transport.ts";

export const u16 = (value: number): number[] => [value >> 8, value & 0xff];
export const u32 = (value: number): number[] => [...u16(value >>> 16), ...u16(value & 0xffff)];
/** A `TPM2B_…`: a 16-bit length, then the bytes. */
export const sized = (bytes: Uint8Array | readonly number[]): number[] => [...u16(bytes.length), ...bytes];

/** A response of a TPM to a command without sessions. */
export function response(code: number, body: readonly number[] = [], tag = 0x8001): Uint8Array {
  return Uint8Array.from([...u16(tag), ...u32(10 + body.length), ...u32(code), ...body]);
}

/** A successful response to a command with a session: its parameters after their size, then what the session answers. */
export function sessionResponse(parameters: readonly number[], handle?: number): Uint8Array {
  return response(
    0,
    [...(handle === undefined ? [] : u32(handle)), ...u32(parameters.length), ...parameters, ...u16(0), 1, ...u16(0)],
    0x8002,
  );
}

/** A capability of one kind (TPM2_GetCapability), with so many entries. */
export function capability(kind: number, entries: readonly number[], count = 1): Uint8Array {
  return response(0, [0, ...u32(kind), ...u32(count), ...entries]);
}

/** What a script is told of a command: its TPM_CC, and all of its bytes. */
export interface AskedCommand {
  readonly code: number;
  readonly bytes: Buffer;
}

/** A TPM that answers as a script says, and keeps what it was asked. */
export function scriptedTpm(answer: (asked: AskedCommand, turn: number) => Uint8Array): {
  readonly tpm: Tpm;
  readonly transport: TpmTransport;
  readonly asked: readonly AskedCommand[];
} {
  const asked: AskedCommand[] = [];
  const transport: TpmTransport = {
    transmit(command) {
      const bytes = Buffer.from(command);
      const one = { code: bytes.readUInt32BE(6), bytes };
      asked.push(one);
      return Promise.resolve(answer(one, asked.length - 1));
    },
    close: () => Promise.resolve(),
  };
  return { tpm: new Tpm(transport), transport, asked };
}

/** A TPM that gives these answers in turn, the last one again and again. */
export function answering(...answers: readonly Uint8Array[]): ReturnType<typeof scriptedTpm> {
  return scriptedTpm((_asked, turn) => answers[Math.min(turn, answers.length - 1)] ?? new Uint8Array());
}
