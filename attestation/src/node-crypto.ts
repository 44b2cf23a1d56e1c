import { createHash, webcrypto } from "node:crypto";
import type { VerifierCrypto } from "@cmcp/appraise/evidence";

/** Digests by their names in WebCrypto; the platform's own `digest` has the last word on every other. */
const MADE_AT_ONCE: ReadonlyMap<unknown, string> = new Map([
  ["SHA-256", "sha256"],
  ["SHA-384", "sha384"],
  ["SHA-512", "sha512"],
]);

const { subtle } = webcrypto;

/**
 * Node's WebCrypto, but that digests are made at once. An event log is a chain of hundreds of short digests, each of
 * the one before, and the platform's `digest` has every one of them wait for a thread.
 */
export const nodeCrypto: VerifierCrypto = {
  subtle: {
    digest(algorithm, data) {
      const name = MADE_AT_ONCE.get(typeof algorithm === "string" ? algorithm : algorithm.name);
      if (name === undefined) return subtle.digest(algorithm, data);
      const bytes = ArrayBuffer.isView(data)
        ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
        : new Uint8Array(data);
      return Promise.resolve(Uint8Array.from(createHash(name).update(bytes).digest()).buffer);
    },
    importKey: subtle.importKey.bind(subtle),
    verify: subtle.verify.bind(subtle),
  },
  startSha256() {
    const running = createHash("sha256");
    return {
      update: (bytes) => void running.update(bytes),
      digest: () => Uint8Array.from(running.digest()),
    };
  },
};
