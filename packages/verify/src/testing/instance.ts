import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { type SigningJwk } from "@cmcp/appraise/evidence";
import { jwkThumbprint, jwkThumbprintText } from "@cmcp/attestation";
import {
  bundleText,
  decidedBy,
  entryHashInput,
  receiptLeaf,
  sessionAfter,
  type AuditBundle,
  type AuditEntry,
  type LogPlace,
  type Receipt,
  type ReceiptBody,
} from "@cmcp/audit";
import { fromBase64Url, toBase64Url } from "@cmcp/boundary";
import {
  appendLeaves,
  EMPTY_RANGE,
  formatCheckpoint,
  instanceKeyName,
  leafHash,
  SIGNATURE_TYPE,
  signNote,
  verifierKey,
} from "@cmcp/log";
import { signClaim, type Claim, type UnsignedClaim } from "@cmcp/claim";

/** A signing instance with a key of its own, made as the enclave makes it. */
export class Instance {
  readonly jwk: SigningJwk;
  /** RFC 7638 thumbprint, 32 bytes and as text. */
  readonly thumbprint: Uint8Array;
  readonly name: string;
  readonly sign: (bytes: Uint8Array) => Uint8Array;

  constructor() {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    this.jwk = { kty: "OKP", crv: "Ed25519", x: publicKey.export({ format: "jwk" }).x ?? "" };
    this.thumbprint = jwkThumbprint(this.jwk);
    this.name = jwkThumbprintText(this.jwk);
    this.sign = (bytes) => sign(null, bytes, privateKey);
  }

  claim(claim: UnsignedClaim & { signature?: string }): Claim {
    const { signature: _, ...unsigned } = claim;
    return signClaim(unsigned, this.sign);
  }

  bundle(entries: readonly AuditEntry[]): AuditBundle {
    const last = entries.at(-1);
    const session = last === undefined ? "" : sessionAfter(last);
    return JSON.parse([...bundleText(session, entries, this.sign)].join("")) as AuditBundle;
  }

  /** Places of all leaves of a log, under one note of this instance. */
  logged(leaves: readonly Uint8Array[]): LogPlace[] {
    const { root, paths } = appendLeaves(EMPTY_RANGE, leaves.map(leafHash));
    const publicKey = fromBase64Url(this.jwk.x) ?? new Uint8Array();
    const key = verifierKey(instanceKeyName(this.name), SIGNATURE_TYPE.ed25519, publicKey);
    const note = signNote(formatCheckpoint({ origin: "log.example/0", size: leaves.length, root }), key, this.sign);
    return paths.map((path, index) => ({ index, path: path.map(toBase64Url), note }));
  }

  /** The receipts of decisions that are the only leaves of a log, under one note as those of concurrent calls are. */
  receipts(bodies: readonly ReceiptBody[]): Receipt[] {
    const places = this.logged(bodies.map((body) => receiptLeaf(body)));
    return bodies.flatMap((body, index) => {
      const log = places[index];
      return log === undefined ? [] : [{ ...body, log }];
    });
  }

  receipt(receipt: Receipt): Receipt {
    const { log: _, ...body } = receipt;
    const [signed] = this.receipts([body]);
    if (signed === undefined) throw new Error("nothing was signed");
    return signed;
  }

  /** A receipt for every call among the entries, in order. */
  receiptsOf(entries: readonly AuditEntry[]): Receipt[] {
    return this.receipts(
      entries
        .filter((entry) => entry.entry_type === "tool_call")
        .map((entry, seq) => ({ ...decidedBy(entry, "plain"), instance: this.name, seq })),
    );
  }
}

/** Numbers, links and hashes entries again, as somebody would who rewrites a log. */
export function relink(entries: readonly AuditEntry[]): AuditEntry[] {
  let previous = "genesis";
  return entries.map((entry, index) => {
    const linked = rehash({ ...entry, sequence_number: index, prev_entry_hash: previous });
    previous = linked.entry_hash;
    return linked;
  });
}

/** An entry with the hash its fields have. */
export function rehash(entry: AuditEntry): AuditEntry {
  return { ...entry, entry_hash: createHash("sha256").update(entryHashInput(entry)).digest("hex") };
}
