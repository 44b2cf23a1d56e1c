import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { initSync, js_verify } from "@phala/dcap-qvl-web";
import { toHex } from "@cmcp/boundary";
import { parseCollateral } from "../../packages/appraise/src/tdx/collateral.ts";
import type { Certificate } from "../../packages/appraise/src/x509/certificate.ts";

initSync({ module: await readFile(fileURLToPath(import.meta.resolve("@phala/dcap-qvl-web/dcap-qvl-web_bg.wasm"))) });

/** What the other implementation says: a status with its advisories, or its error. */
export type Verdict = { readonly status: string; readonly advisoryIds: readonly string[] } | { readonly error: string };

/** Verifies a quote with `@phala/dcap-qvl-web`, which takes collateral as one object. */
export function verifyWithDcapQvl(quote: Uint8Array, files: readonly Uint8Array[], at: Date): Verdict {
  try {
    const { status, advisory_ids } = js_verify(
      quote,
      asQuoteCollateral(files),
      BigInt(Math.floor(at.getTime() / 1000)),
    ) as { status: string; advisory_ids: string[] };
    return { status, advisoryIds: advisory_ids };
  } catch (thrown) {
    return { error: String(thrown) };
  }
}

const pem = (certificates: readonly Certificate[]): string =>
  certificates
    .map(
      ({ raw }) =>
        `-----BEGIN CERTIFICATE-----\n${Buffer.from(raw)
          .toString("base64")
          .replaceAll(/(.{64})/g, "$1\n")}\n-----END CERTIFICATE-----\n`,
    )
    .join("");

function asQuoteCollateral(files: readonly Uint8Array[]): Readonly<Record<string, string>> {
  const { tcbInfo, qeIdentity, revocationLists, certificates } = parseCollateral(files);
  if (tcbInfo === null || qeIdentity === null) throw new Error("the other implementation needs both documents");
  const named = (text: string): Certificate[] =>
    certificates.filter(({ subjectText }) => subjectText.includes(text)).slice(0, 1);
  const list = (text: string): string =>
    toHex(revocationLists.find(({ issuerText }) => issuerText.includes(text))?.raw ?? new Uint8Array());
  const signer = pem([...named("TCB Signing"), ...named("Root CA")]);
  return {
    pck_crl_issuer_chain: pem([...named("Platform CA"), ...named("Root CA")]),
    root_ca_crl: list("Root CA"),
    pck_crl: list("Platform CA"),
    tcb_info_issuer_chain: signer,
    tcb_info: new TextDecoder().decode(tcbInfo.bytes),
    tcb_info_signature: toHex(tcbInfo.signature),
    qe_identity_issuer_chain: signer,
    qe_identity: new TextDecoder().decode(qeIdentity.bytes),
    qe_identity_signature: toHex(qeIdentity.signature),
  };
}
