import { createHash, createPublicKey, generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { BANKS, type Bank } from "../../event-log/hash-algorithm.ts";
import type { TpmEvidence } from "../evidence.ts";

/** How a sample key signs. */
export type SampleScheme = "rsassa" | "rsapss" | "ecdsa";
const SCHEME_IDS = { rsassa: 0x0014, rsapss: 0x0016, ecdsa: 0x0018 } as const;

export interface SampleKey {
  readonly privateKey: KeyObject;
  readonly spki: Uint8Array;
  readonly scheme: SampleScheme;
  readonly hash: Bank;
}

export function sampleKey(
  scheme: SampleScheme,
  hash: Bank = "sha256",
  namedCurve: "P-256" | "P-384" = "P-256",
  modulusLength = 2048,
): SampleKey {
  const { privateKey } =
    scheme === "ecdsa" ? generateKeyPairSync("ec", { namedCurve }) : generateKeyPairSync("rsa", { modulusLength });
  return { privateKey, spki: spkiOf(privateKey), scheme, hash };
}

export function spkiOf(key: KeyObject): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(createPublicKey(key).export({ type: "spki", format: "der" }));
}

export function u16(value: number): Buffer {
  return Buffer.of(value >> 8, value & 0xff);
}

export function u32(value: number): Buffer {
  return Buffer.concat([u16(value >>> 16), u16(value & 0xffff)]);
}

export function sized(bytes: Uint8Array): Buffer {
  return Buffer.concat([u16(bytes.length), bytes]);
}

/** What a sample quote says; what is left out is as in an ordinary one. */
export interface QuoteOptions {
  readonly extraData?: Uint8Array;
  readonly clock?: bigint;
  readonly resetCount?: number;
  readonly restartCount?: number;
  readonly safe?: number;
  readonly magic?: number;
  readonly type?: number;
  readonly selections?: readonly (readonly [bankId: number, registers: readonly number[]])[];
  readonly pcrDigest?: Uint8Array;
}

export function bitmapOf(registers: readonly number[]): Buffer {
  const bitmap = Buffer.alloc(3);
  for (const register of registers) bitmap[register >> 3] = (bitmap[register >> 3] ?? 0) | (1 << (register & 7));
  return bitmap;
}

/** TPMS_ATTEST of a quote. */
export function sampleAttest(options: QuoteOptions): Buffer {
  const selections = options.selections ?? [];
  const clock = Buffer.alloc(8);
  clock.writeBigUInt64BE(options.clock ?? 1000n);
  return Buffer.concat([
    u32(options.magic ?? 0xff544347),
    u16(options.type ?? 0x8018),
    sized(Buffer.alloc(34, 7)),
    sized(options.extraData ?? Buffer.alloc(0)),
    clock,
    u32(options.resetCount ?? 3),
    u32(options.restartCount ?? 0),
    Buffer.of(options.safe ?? 1),
    Buffer.alloc(8, 2),
    u32(selections.length),
    ...selections.map(([bankId, registers]) => Buffer.concat([u16(bankId), Buffer.of(3), bitmapOf(registers)])),
    sized(options.pcrDigest ?? Buffer.alloc(32)),
  ]);
}

/** A signature over the bytes, without TPMT_SIGNATURE: RSA, or ECDSA as r ‖ s. */
export function plainSignature(
  { privateKey, scheme, hash }: SampleKey,
  bytes: Uint8Array,
  saltLength?: number,
): Buffer {
  if (scheme === "ecdsa") return sign(hash, bytes, { key: privateKey, dsaEncoding: "ieee-p1363" });
  if (scheme === "rsassa") return sign(hash, bytes, privateKey);
  return sign(hash, bytes, { key: privateKey, padding: 6, saltLength: saltLength ?? BANKS[hash].size });
}

/** TPMT_SIGNATURE over the bytes. */
export function sampleSignature(key: SampleKey, bytes: Uint8Array, saltLength?: number): Buffer {
  const plain = plainSignature(key, bytes, saltLength);
  const half = plain.length / 2;
  const value =
    key.scheme === "ecdsa"
      ? Buffer.concat([sized(plain.subarray(0, half)), sized(plain.subarray(half))])
      : sized(plain);
  return Buffer.concat([u16(SCHEME_IDS[key.scheme]), u16(BANKS[key.hash].id), value]);
}

/** Evidence of a machine whose registers hold these values, signed by the key. */
export function sampleEvidence(
  key: SampleKey,
  values: ReadonlyMap<number, Uint8Array>,
  options: QuoteOptions = {},
  bank: Bank = "sha256",
): TpmEvidence {
  const registers = [...values.keys()].toSorted((left, right) => left - right);
  const digest = createHash(key.hash);
  for (const register of registers) digest.update(values.get(register) ?? new Uint8Array());
  const quote = sampleAttest({ selections: [[BANKS[bank].id, registers]], pcrDigest: digest.digest(), ...options });
  return {
    quote,
    signature: sampleSignature(key, quote),
    attestationKey: key.spki,
    certificates: [],
    registers: new Map([[BANKS[bank].id, values]]),
  };
}

/** TPMT_PUBLIC of a sample key, with these attributes. */
export function samplePublicArea({ privateKey, scheme, hash }: SampleKey, attributes: number): Buffer {
  const jwk = createPublicKey(privateKey).export({ format: "jwk" });
  const bytes = (text: unknown): Buffer => Buffer.from(typeof text === "string" ? text : "", "base64url");
  const start = [
    u16(BANKS.sha256.id),
    u32(attributes),
    sized(Buffer.alloc(0)),
    u16(0x0010),
    u16(SCHEME_IDS[scheme]),
    u16(BANKS[hash].id),
  ];
  if (scheme !== "ecdsa")
    return Buffer.concat([u16(0x0001), ...start, u16(8 * bytes(jwk.n).length), u32(0), sized(bytes(jwk.n))]);
  return Buffer.concat([
    u16(0x0023),
    ...start,
    u16(jwk.crv === "P-256" ? 0x0003 : 0x0004),
    u16(0x0010),
    sized(bytes(jwk.x)),
    sized(bytes(jwk.y)),
  ]);
}

/** Attributes of an ordinary attestation key: fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, restricted, sign. */
export const ATTESTATION_KEY_ATTRIBUTES = 0x00050072;
