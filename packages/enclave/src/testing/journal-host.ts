/** A host service over a real Unix socket, and journals that write to it. */
import { generateKeyPairSync, sign } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LogState, type HandOver } from "@cmcp/audit";
import { jwkThumbprintText } from "@cmcp/attestation";
import { CmcpError, examine, fromBase64Url, untrusted } from "@cmcp/boundary";
import { EMPTY_RANGE, instanceKeyName, SIGNATURE_TYPE, verifierKey } from "@cmcp/log";
import {
  decodeBatch,
  ExchangePool,
  listenUnix,
  serveStream,
  unixDialer,
  type IncomingExchange,
  type Listener,
  type WireBatch,
} from "@cmcp/wire";
import { Journal } from "../record/journal.ts";

const keys = generateKeyPairSync("ed25519");
/** Key that signs the notes. */
export const { privateKey } = keys;
const jwk = { kty: "OKP", crv: "Ed25519", x: String(keys.publicKey.export({ format: "jwk" }).x) } as const;
/** The instance that writes, by its thumbprint. */
export const instance = jwkThumbprintText(jwk);
/** Key that verifies the journals' notes. */
export const key = verifierKey(
  instanceKeyName(instance),
  SIGNATURE_TYPE.ed25519,
  fromBase64Url(jwk.x) ?? new Uint8Array(),
);
/** A digest of zeros. */
export const digest = `sha256:${"0".repeat(64)}`;
const handOver: HandOver = {
  jwk,
  gateway_version: "0",
  policy_hash: digest,
  catalog_hash: digest,
  launch_digest: digest,
  platform: "software-only",
  measurement: digest,
  boot_time: "2026-01-01T00:00:00.000Z",
  history: { state: "complete" },
  predecessor: null,
};
/** First record of a log. */
export const first = { kind: "hand-over", body: handOver } as const;

/** Serves each exchange as a test says. */
export class JournalHost {
  /** Errors that fenced a journal. */
  readonly fenced: CmcpError[] = [];
  /** How the host answers an exchange. */
  serve: (exchange: IncomingExchange) => Promise<void> = async (exchange) => await acknowledge(exchange);
  readonly #folder: string;
  readonly #pool: ExchangePool;
  #listener: Listener | undefined;

  constructor(folder: string) {
    this.#folder = folder;
    this.#pool = new ExchangePool(unixDialer(join(folder, "s.sock")), { maxStreams: 8 });
  }

  /** Starts the service. */
  static async open(): Promise<JournalHost> {
    const folder = await mkdtemp(join(tmpdir(), "cmcp-journal-"));
    const host = new JournalHost(folder);
    host.#listener = await listenUnix(join(folder, "s.sock"), (stream) =>
      serveStream(stream, (exchange) => host.serve(exchange)),
    );
    return host;
  }

  async close(): Promise<void> {
    await this.#pool.close();
    await this.#listener?.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** A journal over an empty log. */
  journal(sign_ = (bytes: Uint8Array): Uint8Array => sign(null, bytes, privateKey)): Journal {
    const made = new Journal(
      this.#pool,
      { instance, origin: "log.example/0", key, sign: sign_ },
      (error) => void this.fenced.push(error),
    );
    made.begin({ range: EMPTY_RANGE, state: new LogState(), snapshotAt: 0 });
    return made;
  }
}

/** Body of an exchange. */
export async function bodyOf(exchange: IncomingExchange): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of exchange.body) chunks.push(examine(chunk));
  return Buffer.concat(chunks);
}

/** Batch that an exchange appends. */
export async function batchOf(exchange: IncomingExchange): Promise<WireBatch> {
  return decodeBatch(untrusted(await bodyOf(exchange)));
}

/** Answers that a batch is stored. */
export async function acknowledge(exchange: IncomingExchange): Promise<void> {
  await exchange.respond({ status: 200, headers: {} });
  await exchange.end();
}

/** Answers with bytes. */
export async function answer(exchange: IncomingExchange, bytes: Uint8Array): Promise<void> {
  await bodyOf(exchange);
  await exchange.respond({ status: 200, headers: {} });
  await exchange.write(bytes);
  await exchange.end();
}
