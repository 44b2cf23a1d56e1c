export type { MessageLimits } from "./binary-http/limits.ts";
export type { Field, InformationalResponse, RequestHead, ResponseHead } from "./binary-http/message.ts";
export { MIN_PADDED_BYTES, paddedLength, padMessage, padStream } from "./binary-http/padding.ts";
export { readRequest, readResponse, type ReadMessage } from "./binary-http/read.ts";
export {
  encodeRequest,
  encodeResponse,
  streamRequest,
  streamResponse,
  type KnownBody,
  type StreamedBody,
} from "./binary-http/write.ts";
export { setupRecipient, setupSender, type OwnKey, type Recipient } from "./hpke/context.ts";
export type { RecipientContext, SenderContext } from "./hpke/context.ts";
export { hkdfSha256 } from "./hpke/hkdf.ts";
export { keyFromPem, privateKeyPem, publicKeyInfo } from "./hpke/key-document.ts";
export { PRIVATE_KEY_BYTES, type Kem, type KemKey } from "./hpke/kem.ts";
export { openMessage, sealMessage, type Binding, type SealedMessage } from "./hpke/message.ts";
export { SUITES, suiteOf, X25519_SUITE, X_WING_SUITE, type Suite } from "./hpke/suite.ts";
export { aesGcmOpen, aesGcmSeal, hasMlKem, randomBytes, type AeadUse } from "./platform.ts";
export { MAX_CHUNK_BYTES } from "./ohttp/chunk.ts";
export {
  openRequest,
  SEALED_REQUEST_TYPE,
  SEALED_RESPONSE_TYPE,
  sealRequest,
  type OpenedRequest,
  type SealedRequest,
} from "./ohttp/exchange.ts";
export {
  chooseKey,
  encodeKeyConfigs,
  KEY_CONFIGS_TYPE,
  keyConfigOf,
  parseKeyConfigs,
  type GatewayKey,
  type KeyConfig,
  type SymmetricAlgorithms,
} from "./ohttp/key-config.ts";
