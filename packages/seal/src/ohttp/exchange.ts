/**
 * Encapsulated requests and responses of Chunked Oblivious HTTP (draft-ietf-ohai-chunked-ohttp-08 sections 4 to 6), with
 * the keys of RFC 9458 section 4.
 */
import { CmcpError } from "@cmcp/boundary";
import { concatBytes, latin1, uint16 } from "../bytes.ts";
import {
  setupRecipient,
  setupSender,
  type OwnKey,
  type RecipientContext,
  type SenderContext,
} from "../hpke/context.ts";
import { expand, extract } from "../hpke/hkdf.ts";
import { AeadSequence, NONCE_BYTES } from "../hpke/sequence.ts";
import { KDF_ID, type Suite } from "../hpke/suite.ts";
import { PieceReader } from "../piece-reader.ts";
import { randomBytes } from "../platform.ts";
import { notOpened, openChunks, sealChunks } from "./chunk.ts";
import type { GatewayKey } from "./key-config.ts";

/** Media type of an encapsulated request. */
export const SEALED_REQUEST_TYPE = "message/ohttp-chunked-req";
/** Media type of an encapsulated response. */
export const SEALED_RESPONSE_TYPE = "message/ohttp-chunked-res";

/** Bytes of key id and numbers of the suite, before the encapsulated key. */
const HEADER_BYTES = 7;
const REQUEST_LABEL = latin1("message/bhttp chunked request");
const RESPONSE_LABEL = latin1("message/bhttp chunked response");

/** A request on its way, with what opens its answer. */
export interface SealedRequest {
  /** The encapsulated request. The header is the first piece; each piece of the message follows as it is there. */
  readonly bytes: AsyncIterable<Uint8Array>;
  /**
   * The answer in pieces, as they arrive. It ends where the final chunk has opened.
   *
   * @throws CmcpError `SEAL_OUTCOME_UNKNOWN` where the answer ends before its final chunk, `SEAL_NOT_OPENED`
   */
  readonly openAnswer: (bytes: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;
}

/**
 * Seals a message to a gateway's key.
 *
 * @param message its pieces; each is sealed and handed on when it is there
 * @param ephemeral the sender's private key of X25519, 32 bytes, used once and forgotten; a fresh one where it is left out
 * @throws CmcpError `USAGE` for what is no public key, `SEAL_SUITE_UNSUPPORTED` where the runtime lacks an algorithm
 */
export function sealRequest(
  key: GatewayKey,
  message: AsyncIterable<Uint8Array>,
  ephemeral?: Uint8Array,
): SealedRequest {
  const header = headerOf(key.id, key.suite);
  const context = setupSender(key, infoOf(header), ephemeral);
  return {
    bytes: withFirst(concatBytes(header, context.encapsulated), sealChunks(message, context.seal)),
    openAnswer: (bytes) => openAnswer({ context, suite: key.suite, encapsulated: context.encapsulated }, bytes),
  };
}

/** A request that was sealed to a key of ours. Its message is not opened yet. */
export interface OpenedRequest {
  readonly keyId: number;
  /** `enc`: what a gateway remembers of a request, so that it opens none twice. */
  readonly encapsulated: Uint8Array;
  /**
   * The message in pieces, as they arrive. It ends where the final chunk has opened; before that the request is not to be
   * acted on.
   *
   * @throws CmcpError `SEAL_NOT_OPENED`
   */
  readonly message: AsyncIterable<Uint8Array>;
  /** Tells the source that nothing more is read, where the message is not wanted. */
  readonly close: () => Promise<void>;
  /** Seals the one answer. Each piece is sealed and handed on when it is there. */
  readonly sealAnswer: (message: AsyncIterable<Uint8Array>, nonce?: Uint8Array) => AsyncIterable<Uint8Array>;
}

/**
 * Begins to open a request.
 *
 * @param keyOf the key of an id; `null` where there is none
 * @throws CmcpError `SEAL_NOT_OPENED` for whatever names no key of ours, its suite, or an encapsulated key
 */
export async function openRequest(
  bytes: AsyncIterable<Uint8Array>,
  keyOf: (id: number) => OwnKey | null,
): Promise<OpenedRequest> {
  const reader = new PieceReader(bytes);
  const opened = await openHeader(reader, keyOf);
  if (opened === null) {
    await reader.close();
    throw notOpened();
  }
  const { keyId, context, suite, encapsulated } = opened;
  return {
    keyId,
    encapsulated,
    message: openChunks(reader, context.open, notOpened),
    close: async () => await reader.close(),
    sealAnswer: (message, nonce = randomBytes(nonceBytes(suite))) => {
      const messages = answerKeys({ context, suite, encapsulated }, nonce);
      return withFirst(
        nonce,
        sealChunks(message, (plaintext, aad) => messages.seal(plaintext, aad)),
      );
    },
  };
}

/** What both sides know when a request's header was sealed or opened. */
interface Exchange<Context extends SenderContext | RecipientContext> {
  readonly context: Context;
  readonly suite: Suite;
  readonly encapsulated: Uint8Array;
}

async function openHeader(
  reader: PieceReader,
  keyOf: (id: number) => OwnKey | null,
): Promise<(Exchange<RecipientContext> & { readonly keyId: number }) | null> {
  const header = await reader.take(HEADER_BYTES);
  const keyId = header?.[0];
  const own = keyId === undefined ? null : keyOf(keyId);
  if (header === null || keyId === undefined || own === null) return null;
  const { suite } = own;
  // Section 4: the header names the suite that the key is used with, and no other.
  if (!headerOf(keyId, suite).every((byte, at) => byte === header[at])) return null;
  const encapsulated = (await reader.take(suite.kem.encapsulatedBytes))?.slice();
  if (encapsulated === undefined) return null;
  const context = setupRecipient(own, encapsulated, infoOf(header));
  return context === null ? null : { keyId, context, suite, encapsulated };
}

async function* openAnswer(
  exchange: Exchange<SenderContext>,
  bytes: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  const reader = new PieceReader(bytes);
  const nonce = await reader.take(nonceBytes(exchange.suite));
  if (nonce === null) throw outcomeUnknown();
  const messages = answerKeys(exchange, nonce);
  yield* openChunks(reader, (sealed, aad) => messages.open(sealed, aad), outcomeUnknown);
}

/** Section 6.2, with the keys of RFC 9458 section 4.4. */
function answerKeys(
  { context, suite, encapsulated }: Exchange<SenderContext | RecipientContext>,
  nonce: Uint8Array,
): AeadSequence {
  const secret = context.export(RESPONSE_LABEL, nonceBytes(suite));
  const prk = extract(concatBytes(encapsulated, nonce), secret);
  const key = expand(prk, latin1("key"), suite.keyBytes);
  return new AeadSequence(key, expand(prk, latin1("nonce"), NONCE_BYTES));
}

/** Bytes of a response's nonce, and of the secret that is exported for it: `max(Nn, Nk)`. */
function nonceBytes({ keyBytes }: Suite): number {
  return Math.max(NONCE_BYTES, keyBytes);
}

/** Section 6.1: `hdr`. */
function headerOf(keyId: number, { kem, aeadId }: Suite): Uint8Array {
  return concatBytes(Uint8Array.of(keyId), uint16(kem.id), uint16(KDF_ID), uint16(aeadId));
}

/** Section 6.1: `info`. */
function infoOf(header: Uint8Array): Uint8Array {
  return concatBytes(REQUEST_LABEL, Uint8Array.of(0), header);
}

async function* withFirst(first: Uint8Array, rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  yield first;
  yield* rest;
}

function outcomeUnknown(): CmcpError {
  return new CmcpError("SEAL_OUTCOME_UNKNOWN", "the answer ends before its final chunk");
}
