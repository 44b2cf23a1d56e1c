import { setupRecipient, setupSender, type OwnKey, type Recipient } from "./context.ts";

/** One message to one recipient. */
export interface SealedMessage {
  /** `enc`: as many bytes as the suite says. */
  readonly encapsulated: Uint8Array;
  /** As long as the plaintext and 16 bytes. */
  readonly ciphertext: Uint8Array;
}

/** What the recipient must know beside its key; both are authenticated. */
export interface Binding {
  readonly info: Uint8Array;
  readonly aad: Uint8Array;
}

/**
 * Seals one message to a public key (RFC 9180 section 6.1).
 *
 * @throws CmcpError `USAGE` for what is no public key, `SEAL_SUITE_UNSUPPORTED` where the runtime lacks an algorithm
 */
export function sealMessage(recipient: Recipient, { info, aad }: Binding, plaintext: Uint8Array): SealedMessage {
  const context = setupSender(recipient, info);
  return { encapsulated: context.encapsulated, ciphertext: context.seal(plaintext, aad) };
}

/** Opens one message (RFC 9180 section 6.1); `null` where it was not sealed to this key under this binding. */
export function openMessage(own: OwnKey, { info, aad }: Binding, sealed: SealedMessage): Uint8Array | null {
  return setupRecipient(own, sealed.encapsulated, info)?.open(sealed.ciphertext, aad) ?? null;
}
