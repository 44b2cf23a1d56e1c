import { ByteReader, CmcpError, fromHex, parseJson, untrusted, type JsonLimits } from "@cmcp/boundary";
import * as z from "zod";
import type { TpmEvidence } from "../evidence.ts";
import { sha256Registers } from "./registers.ts";

/** A quote with its signature and the SHA-256 registers from PCR 0 on, all in one file. */
export type StoredQuote = Pick<TpmEvidence, "quote" | "registers"> & { readonly signature: Uint8Array };

const LIMITS: JsonLimits = { maxBytes: 256 * 1024, maxDepth: 4, maxItems: 8192 };
const OPENING_BRACE = 0x7b;
const MAX_REGISTERS = 24;
const REGISTER_BYTES = 32;
/** Lengths of the plain signatures that are stored so: RSA of 2048, 3072 and 4096 bits. */
const SIGNATURE_BYTES: readonly number[] = [256, 384, 512];

const hex = z
  .string()
  .max(4096)
  .regex(/^(?:[0-9a-fA-F]{2})+$/)
  .transform((text) => fromHex(text) ?? new Uint8Array());
const numbers = z
  .array(z.int().min(0).max(255))
  .max(4096)
  .transform((values) => Uint8Array.from(values));
const quoteIn = <T extends z.ZodType<Uint8Array>>(bytes: T) =>
  z.strictObject({ message: bytes, signature: bytes, pcrs: z.array(bytes).max(MAX_REGISTERS) });
const stored = z.union([quoteIn(hex), quoteIn(numbers)]);

/**
 * Reads a quote as the vTPM libraries of the Confidential Containers attesters store it. One form is a JSON object of
 * `message`, `signature` and `pcrs`, in hex or as arrays of numbers. The other is signature, message and registers in
 * bytes, each after its length or number in eight bytes.
 *
 * @returns `null` for anything else
 * @throws CmcpError `EVIDENCE_MALFORMED` for one that contradicts itself
 */
export function readStoredQuote(file: Uint8Array): StoredQuote | null {
  if (file.find((byte) => byte > 0x20) === OPENING_BRACE) return fromJson(file);
  const reader = new ByteReader(file, "stored quote", "little");
  if (file.length < 8 || !SIGNATURE_BYTES.includes(count(reader.at(0)))) return null;
  const signature = reader.take(count(reader));
  const quote = reader.take(count(reader));
  const registers = count(reader);
  if (registers > MAX_REGISTERS)
    throw new CmcpError("EVIDENCE_MALFORMED", `stored quote: ${registers} registers, more than ${MAX_REGISTERS}`);
  const values = Array.from({ length: registers }, () => reader.take(REGISTER_BYTES));
  reader.end();
  return { signature, quote, registers: sha256Registers(values) };
}

/** A count is as large as its sender likes. What takes so many bytes refuses more than are left. */
function count(reader: ByteReader): number {
  return Number(reader.u64());
}

function fromJson(file: Uint8Array): StoredQuote | null {
  let value: unknown;
  try {
    value = parseJson(untrusted(file), LIMITS);
  } catch {
    // Another form, whose reader says what is wrong.
    return null;
  }
  const parsed = stored.safeParse(value);
  return parsed.success
    ? { quote: parsed.data.message, signature: parsed.data.signature, registers: sha256Registers(parsed.data.pcrs) }
    : null;
}
