import { generateKeyPairSync, hash, randomUUID, sign } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jwkThumbprintText } from "@cmcp/attestation";
import { decidedBy, LogState, SessionChain, type HandOver, type Intent } from "@cmcp/audit";
import { fromBase64Url } from "@cmcp/boundary";
import { createLog, EgressRelay, egressAllowList, listenServices, type LogStore } from "@cmcp/host-proxy";
import { readLaunchInputs } from "@cmcp/launch/files";
import { EMPTY_RANGE, instanceKeyName, SIGNATURE_TYPE, verifierKey } from "@cmcp/log";
import { ExchangePool, unixDialer } from "@cmcp/wire";
import { Journal } from "../../../packages/enclave/src/record/journal.ts";
import type { Setup } from "./setup.ts";

/** Calls that are written at once. */
const TOGETHER = 256;
const HASH = `sha256:${"0".repeat(64)}`;

/** Writes the record of calls into a store, as an instance of that deployment writes it: intent and entry of each, and snapshots. */
export class WrittenRecord {
  readonly #journal: Journal;
  readonly #principals: number;
  readonly #sessions: SessionChain[] = [];
  readonly #close: () => Promise<void>;
  #calls = 0;

  private constructor(journal: Journal, principals: number, close: () => Promise<void>) {
    this.#journal = journal;
    this.#principals = principals;
    this.#close = close;
  }

  /** Begins the log of a deployment in an empty store. */
  static async begin(store: LogStore, { config, environment }: Setup, principals: number): Promise<WrittenRecord> {
    const folder = await mkdtemp(join(tmpdir(), "cmcp-written-"));
    const quiet = createLog({ level: "silent" });
    const services = join(folder, "services.sock");
    const listening = await listenServices(services, {
      relay: new EgressRelay(egressAllowList([]), quiet),
      store,
      log: quiet,
    });
    const pool = new ExchangePool(unixDialer(services), { maxStreams: 8 });
    const close = async (): Promise<void> => {
      await pool.close();
      await listening.close();
      await rm(folder, { recursive: true, force: true });
    };
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    const { x = "" } = publicKey.export({ format: "jwk" });
    const jwk = { kty: "OKP", crv: "Ed25519", x } as const;
    const instance = jwkThumbprintText(jwk);
    const { document } = await readLaunchInputs(config, environment);
    const handOver: HandOver = {
      jwk,
      gateway_version: "0",
      policy_hash: HASH,
      catalog_hash: HASH,
      launch_digest: `sha256:${hash("sha256", document)}`,
      platform: "software-only",
      measurement: HASH,
      boot_time: new Date().toISOString(),
      history: { state: "complete" },
      predecessor: null,
    };
    const journal = new Journal(
      pool,
      {
        instance,
        origin: "cmcp.localhost/0",
        key: verifierKey(instanceKeyName(instance), SIGNATURE_TYPE.ed25519, fromBase64Url(x) ?? new Uint8Array()),
        sign: (bytes) => sign(null, bytes, privateKey),
      },
      (error) => {
        throw error;
      },
    );
    journal.begin({ range: EMPTY_RANGE, state: new LogState(), snapshotAt: 0 });
    await journal.append(instance, { kind: "hand-over", body: handOver });
    return new WrittenRecord(journal, principals, close);
  }

  /** Writes calls until there are this many in all, one after the other by each principal in turn. */
  async grow(calls: number): Promise<void> {
    while (this.#calls < calls) {
      const batch: Promise<unknown>[] = [];
      for (let index = 0; index < TOGETHER && this.#calls < calls; index += 1) batch.push(...this.#call());
      await Promise.all(batch);
    }
  }

  #call(): Promise<unknown>[] {
    const place = this.#calls % this.#principals;
    const principal = `agent-${place}`;
    this.#calls += 1;
    const started: Promise<unknown>[] = [];
    let chain = this.#sessions[place];
    if (chain === undefined) {
      chain = new SessionChain(randomUUID(), () => Date.now());
      this.#sessions[place] = chain;
      const root = chain.append({ entry_type: "session_start", detail: { policy_hash: HASH, principal } });
      started.push(this.#journal.append(chain.sessionId, { kind: "entry", body: root }));
    }
    const session = chain.sessionId;
    const callId = `call-${this.#calls}`;
    const intent: Intent = {
      call_id: callId,
      session_id: session,
      principal,
      tool_name: "echo",
      server_identity: null,
      workflow_id: "default",
      request_hash: HASH,
      policy_hash: HASH,
      session_sensitivity: "public",
      tip_before: chain.tip,
      length_before: chain.length,
    };
    const entry = chain.append({
      entry_type: "tool_call",
      call_id: callId,
      tool_name: "echo",
      policy_decision: "allow",
      session_sensitivity_before: "public",
      session_sensitivity_after: "public",
      request_payload_hash: HASH,
      response_payload_hash: HASH,
      detail: { policy_hash: HASH, principal },
    });
    return [
      ...started,
      this.#journal.append(session, { kind: "intent", body: intent }),
      this.#journal.append(session, { kind: "entry", body: entry }, decidedBy(entry, "plain")),
    ];
  }

  async close(): Promise<void> {
    await this.#close();
  }
}
