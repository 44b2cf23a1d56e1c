/** Key configurations of Oblivious HTTP (RFC 9458 section 3): which keys a gateway has, and for which algorithms. */
import { ByteReader, CmcpError, examine, type Untrusted } from "@cmcp/boundary";
import { concatBytes, uint16 } from "../bytes.ts";
import type { Recipient } from "../hpke/context.ts";
import type { Kem } from "../hpke/kem.ts";
import { KDF_ID, SUITES, type Suite } from "../hpke/suite.ts";
import { hasMlKem } from "../platform.ts";
import { X_WING } from "../hpke/x-wing.ts";

/** Media type of a list of configurations. */
export const KEY_CONFIGS_TYPE = "application/ohttp-keys";
/** Most bytes of a list. */
export const MAX_KEY_CONFIGS_BYTES = 16_384;
/** Most configurations of a list. */
export const MAX_KEY_CONFIGS = 8;
/** Bytes of the identifiers of a pair of key derivation and cipher. */
const ALGORITHM_BYTES = 4;

/** Numbers of a key derivation and a cipher that are used together. */
export interface SymmetricAlgorithms {
  readonly kdfId: number;
  readonly aeadId: number;
}

/** One key of a gateway. */
export interface KeyConfig {
  /** From 0 to 255; a gateway never uses one for two keys. */
  readonly id: number;
  readonly kem: Kem;
  readonly publicKey: Uint8Array;
  readonly algorithms: readonly SymmetricAlgorithms[];
}

/** A key that a client chose, with the algorithms it uses it with. */
export interface GatewayKey extends Recipient {
  readonly id: number;
}

/** The configuration of a key that is used with one suite. */
export function keyConfigOf({ id, suite, publicKey }: GatewayKey): KeyConfig {
  return { id, kem: suite.kem, publicKey, algorithms: [{ kdfId: KDF_ID, aeadId: suite.aeadId }] };
}

/**
 * A list of configurations (RFC 9458 section 3.2), each behind its length.
 *
 * @throws CmcpError `USAGE` for none or too many, and for an id that is out of range or that two have
 */
export function encodeKeyConfigs(configs: readonly KeyConfig[]): Uint8Array {
  const ids = new Set(configs.map(({ id }) => id).filter((id) => Number.isInteger(id) && id >= 0 && id <= 255));
  if (ids.size !== configs.length || configs.length === 0 || configs.length > MAX_KEY_CONFIGS)
    throw new CmcpError(
      "USAGE",
      `key configurations are 1 to ${MAX_KEY_CONFIGS}, each with an id of its own, 0 to 255`,
    );
  return concatBytes(
    ...configs.map((config) => {
      const encoded = encodeKeyConfig(config);
      return concatBytes(uint16(encoded.length), encoded);
    }),
  );
}

/** RFC 9458 section 3.1. */
function encodeKeyConfig({ id, kem, publicKey, algorithms }: KeyConfig): Uint8Array {
  const pairs = algorithms.map(({ kdfId, aeadId }) => concatBytes(uint16(kdfId), uint16(aeadId)));
  return concatBytes(Uint8Array.of(id), uint16(kem.id), publicKey, uint16(pairs.length * ALGORITHM_BYTES), ...pairs);
}

/**
 * Reads a list of configurations. Those of unknown mechanisms are left out.
 *
 * @throws CmcpError `SEAL_KEYS_INVALID` for a list that breaks a rule anywhere
 */
export function parseKeyConfigs(list: Untrusted<Uint8Array>): readonly KeyConfig[] {
  const bytes = examine(list);
  if (bytes.length > MAX_KEY_CONFIGS_BYTES)
    throw malformed(`${bytes.length} bytes, and ${MAX_KEY_CONFIGS_BYTES} are allowed`);
  const reader = new ByteReader(bytes, "a list of key configurations", "big", "SEAL_KEYS_INVALID");
  const configs = new Map<number, KeyConfig | null>();
  while (reader.remaining > 0) {
    if (configs.size === MAX_KEY_CONFIGS) throw malformed(`more than ${MAX_KEY_CONFIGS} configurations`);
    const encoded = reader.take(reader.u16());
    const config = parseKeyConfig(encoded);
    const id = encoded[0] ?? 0;
    if (configs.has(id)) throw malformed(`two configurations with the id ${id}`);
    configs.set(id, config);
  }
  if (configs.size === 0) throw malformed("no configuration");
  return [...configs.values()].filter((config) => config !== null);
}

/** One configuration; `null` for one of an unknown mechanism. @throws CmcpError `SEAL_KEYS_INVALID` */
function parseKeyConfig(encoded: Uint8Array): KeyConfig | null {
  const reader = new ByteReader(encoded, "a key configuration", "big", "SEAL_KEYS_INVALID");
  const id = reader.u8();
  const kemId = reader.u16();
  const kem = SUITES.find((suite) => suite.kem.id === kemId)?.kem;
  if (kem === undefined) return null;
  const publicKey = reader.take(kem.publicKeyBytes).slice();
  const length = reader.u16();
  if (length === 0 || length % ALGORITHM_BYTES !== 0) throw malformed(`${length} bytes of algorithms`);
  const algorithms: SymmetricAlgorithms[] = [];
  for (let left = length; left > 0; left -= ALGORITHM_BYTES)
    algorithms.push({ kdfId: reader.u16(), aeadId: reader.u16() });
  reader.end();
  return { id, kem, publicKey, algorithms };
}

/**
 * The key to seal to: of the first suite, in the order of {@link SUITES}, that a configuration offers and the runtime has.
 *
 * @throws CmcpError `SEAL_SUITE_UNSUPPORTED` where there is none
 */
export function chooseKey(configs: readonly KeyConfig[], available: (kem: Kem) => boolean = isAvailable): GatewayKey {
  for (const suite of SUITES) {
    const config = configs.find((one) => available(one.kem) && offers(one, suite));
    if (config !== undefined) return { id: config.id, suite, publicKey: config.publicKey };
  }
  throw new CmcpError(
    "SEAL_SUITE_UNSUPPORTED",
    "the gateway's key configurations offer no suite that is supported here",
  );
}

function offers({ kem, algorithms }: KeyConfig, suite: Suite): boolean {
  return kem === suite.kem && algorithms.some(({ kdfId, aeadId }) => kdfId === KDF_ID && aeadId === suite.aeadId);
}

function isAvailable(kem: Kem): boolean {
  return kem !== X_WING || hasMlKem();
}

function malformed(why: string): CmcpError {
  return new CmcpError("SEAL_KEYS_INVALID", `the list of key configurations has ${why}`);
}
