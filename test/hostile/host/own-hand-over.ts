import { generateKeyPairSync, sign } from "node:crypto";
import { jwkThumbprintText } from "@cmcp/attestation";
import { encodeRecord, type HandOver, type SigningJwk } from "@cmcp/audit";
import { fromBase64Url, toHex } from "@cmcp/boundary";
import type { LogStore } from "@cmcp/host-proxy";
import {
  appendLeaves,
  EMPTY_RANGE,
  formatCheckpoint,
  instanceKeyName,
  leafHash,
  parseCheckpoint,
  parseNote,
  rootOf,
  SIGNATURE_TYPE,
  signNote,
  verifierKey,
} from "@cmcp/log";
import { readStored, recordsIn } from "../stored-records.ts";

/**
 * Adds a hand-over to a key of the host's own, without evidence, and signs the head with that key.
 * @param launch digest of the launch document that it names; the one of the last hand-over without
 */
export async function handOverToHost(store: LogStore, launch?: string): Promise<void> {
  const { privateKey } = generateKeyPairSync("ed25519");
  const { x = "" } = privateKey.export({ format: "jwk" });
  const jwk: SigningJwk = { kty: "OKP", crv: "Ed25519", x };
  const instance = jwkThumbprintText(jwk);
  const all = await recordsIn(store);
  const genuine = all
    .map(readStored)
    .flatMap((record) => (record.kind === "hand-over" ? [record.body] : []))
    .at(-1);
  if (genuine === undefined) throw new Error("the log has no hand-over");
  const before = appendLeaves(
    EMPTY_RANGE,
    all.map(({ header }) => leafHash(header)),
  ).range;
  const { evidence: _, ...said } = genuine;
  const body: HandOver = {
    ...said,
    jwk,
    launch_digest: launch ?? genuine.launch_digest,
    predecessor: { size: before.size, root: toHex(rootOf(before)), instance: null },
  };
  const record = encodeRecord({ kind: "hand-over", body }, { instance, seq: 0 });
  const { range } = appendLeaves(before, [leafHash(record.leaf)]);
  const { origin } = parseCheckpoint(parseNote((await store.head())?.note ?? "").text);
  const key = verifierKey(instanceKeyName(instance), SIGNATURE_TYPE.ed25519, fromBase64Url(x) ?? new Uint8Array());
  const note = signNote(formatCheckpoint({ origin, size: range.size, root: rootOf(range) }), key, (bytes) =>
    sign(null, bytes, privateKey),
  );
  await store.append({
    first: before.size,
    note,
    records: [{ session: instance, kind: "hand-over", header: record.leaf, body: record.body }],
  });
}
