/** HPKE (RFC 9180) in base mode: what is sealed to a public key says nothing of who sealed it. */
import { latin1, concatBytes, EMPTY, uint16 } from "../bytes.ts";
import { HASH_BYTES, LabeledHkdf } from "./hkdf.ts";
import type { KemKey } from "./kem.ts";
import { AeadSequence, NONCE_BYTES } from "./sequence.ts";
import { KDF_ID, type Suite } from "./suite.ts";

/** RFC 9180 section 5: `mode_base`. */
const MODE_BASE = Uint8Array.of(0);

/** Secrets that sender and recipient derive of what the other side can also export (RFC 9180 section 5.3). */
export interface Exporter {
  /** @throws CmcpError `USAGE` above 8160 bytes */
  readonly export: (context: Uint8Array, length: number) => Uint8Array;
}

/** The sender's side: messages are opened in the order they were sealed in. */
export interface SenderContext extends Exporter {
  /** What the recipient needs to open them: `enc`. */
  readonly encapsulated: Uint8Array;
  readonly seal: (plaintext: Uint8Array, aad: Uint8Array) => Uint8Array;
}

/** The recipient's side. */
export interface RecipientContext extends Exporter {
  /** The plaintext; `null` where this is not the next message. */
  readonly open: (ciphertext: Uint8Array, aad: Uint8Array) => Uint8Array | null;
}

/** A public key with the algorithms that it is used with. */
export interface Recipient {
  readonly suite: Suite;
  readonly publicKey: Uint8Array;
}

/**
 * `SetupBaseS` (RFC 9180 section 5.1.1).
 *
 * @param info what the recipient must know as well
 * @param ephemeral the sender's private key of X25519, 32 bytes, used once and forgotten; a fresh one where it is left out
 * @throws CmcpError `USAGE` for what is no public key, `SEAL_SUITE_UNSUPPORTED` where the runtime lacks an algorithm
 */
export function setupSender({ suite, publicKey }: Recipient, info: Uint8Array, ephemeral?: Uint8Array): SenderContext {
  const { secret, encapsulated } = suite.kem.encapsulate(publicKey, ephemeral);
  const { messages, exporter } = schedule(suite, secret, info);
  return {
    encapsulated,
    seal: (plaintext, aad) => messages.seal(plaintext, aad),
    export: exporter,
  };
}

/** A private key with the algorithms that it is used with. */
export interface OwnKey {
  readonly suite: Suite;
  readonly key: KemKey;
}

/** `SetupBaseR` (RFC 9180 section 5.1.1); `null` where `encapsulated` is none of the suite's. */
export function setupRecipient(
  { suite, key }: OwnKey,
  encapsulated: Uint8Array,
  info: Uint8Array,
): RecipientContext | null {
  const secret = key.decapsulate(encapsulated);
  if (secret === null) return null;
  const { messages, exporter } = schedule(suite, secret, info);
  return { open: (ciphertext, aad) => messages.open(ciphertext, aad), export: exporter };
}

/** RFC 9180 section 5.1: `KeySchedule`. */
function schedule(
  { kem, aeadId, keyBytes }: Suite,
  secret: Uint8Array,
  info: Uint8Array,
): { readonly messages: AeadSequence; readonly exporter: Exporter["export"] } {
  const hkdf = new LabeledHkdf(concatBytes(latin1("HPKE"), uint16(kem.id), uint16(KDF_ID), uint16(aeadId)));
  const context = concatBytes(
    MODE_BASE,
    hkdf.extract(EMPTY, "psk_id_hash", EMPTY),
    hkdf.extract(EMPTY, "info_hash", info),
  );
  const prk = hkdf.extract(secret, "secret", EMPTY);
  const key = hkdf.expand(prk, "key", context, keyBytes);
  const baseNonce = hkdf.expand(prk, "base_nonce", context, NONCE_BYTES);
  const exporterSecret = hkdf.expand(prk, "exp", context, HASH_BYTES);
  return {
    messages: new AeadSequence(key, baseNonce),
    exporter: (exportContext, length) => hkdf.expand(exporterSecret, "sec", exportContext, length),
  };
}
