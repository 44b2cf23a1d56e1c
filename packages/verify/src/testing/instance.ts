import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { jwkThumbprint, jwkThumbprintText, type SigningJwk } from "@cmcp/attestation";
import { bundleText, entryHashInput, receiptSigningInput, signReceipt, type AuditBundle, type AuditEntry, type Receipt } from "@cmcp/audit";
import { toBase64Url } from "@cmcp/boundary";
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
    return JSON.parse([...bundleText(entries[0]?.session_id ?? "", entries, this.sign)].join("")) as AuditBundle;
  }

  receiptOf(entry: AuditEntry): Receipt {
    return signReceipt(entry, this.name, "plain", this.sign);
  }

  receipt(receipt: Receipt): Receipt {
    const { signature: _, ...body } = receipt;
    return { ...body, signature: toBase64Url(this.sign(receiptSigningInput(body))) };
  }

  /** A receipt for every call among the entries, in order. */
  receiptsOf(entries: readonly AuditEntry[]): Receipt[] {
    return entries.filter((entry) => entry.entry_type === "tool_call").map((entry) => this.receiptOf(entry));
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

