import { CmcpError, fromHex, type JsonLimits } from "@cmcp/boundary";
import { derOfText } from "../x509/der-text.ts";
import { parsePemCertificates } from "../x509/pem.ts";
import { MAX_LIST_BYTES, RevocationList } from "../x509/revocation-list.ts";
import { decodedChain } from "./chain-text.ts";
import type { SignedDocument, TdxCollateral } from "./unverified-collateral.ts";
import { jsonMembers, type JsonMember } from "./json-members.ts";

/** Bounds of a JSON object with all collateral; genuine ones have 25 KiB. */
const LIMITS: JsonLimits = { maxBytes: 2 * 1024 * 1024, maxDepth: 16, maxItems: 50_000 };
const MAX_CHAIN = 8;
const SIGNATURE_BYTES = 64;

/** Members that hold issuer certificates as PEM text, or as an answer's header has it. */
const CHAINS = ["pck_crl_issuer_chain", "tcb_info_issuer_chain", "qe_identity_issuer_chain", "issuer_chain"] as const;
/** Members that hold a revocation list: PEM, or DER in hex or base64. */
const LISTS = ["root_ca_crl", "pck_crl"] as const;
const PCK_CHAIN = "pck_certificate_chain";

/**
 * The two documents and the names they go by: `bare` is the signed text beside its signature, or a whole answer as
 * text; `answer` makes the JSON object itself an answer; `answerText` is a whole answer as text.
 */
const DOCUMENTS = [
  { slot: "tcbInfo", bare: "tcb_info", answer: "tcbInfo", answerText: "tcb_info_json" },
  { slot: "qeIdentity", bare: "qe_identity", answer: "enclaveIdentity", answerText: "enclave_identity_json" },
] as const;

type Members = ReadonlyMap<string, JsonMember>;

/** Adds what a JSON object holds. Throws `EVIDENCE_COLLATERAL_INVALID` or a code of the JSON or X.509 parsers. */
export function readBundle(text: string, found: TdxCollateral): void {
  const members = jsonMembers(text, LIMITS);
  let known = 0;
  const use = <T>(value: T | null, add: (value: T) => void): void => {
    if (value === null) return;
    known += 1;
    add(value);
  };
  for (const names of DOCUMENTS) {
    for (const document of documentsOf(text, members, names)) {
      use(document, (one) => {
        if (found[names.slot] !== null) throw invalid(`${names.answer} is given twice`);
        found[names.slot] = one;
      });
    }
  }
  for (const name of CHAINS) use(textOf(members, name), (chain) => found.certificates.push(...pemChain(chain)));
  for (const name of LISTS) use(textOf(members, name), (list) => found.revocationLists.push(revocationList(list)));
  use(textOf(members, PCK_CHAIN), (chain) => found.pckChain.push(...pemChain(chain)));
  if (known === 0) throw invalid("a JSON object that holds no collateral");
}

function invalid(why: string): CmcpError {
  return new CmcpError("EVIDENCE_COLLATERAL_INVALID", why);
}

function documentsOf(
  text: string,
  members: Members,
  { bare, answer, answerText }: (typeof DOCUMENTS)[number],
): (SignedDocument | null)[] {
  const own = textOf(members, bare);
  const signature = textOf(members, `${bare}_signature`);
  const inText = textOf(members, answerText);
  return [
    own === null ? null : signature === null ? fromAnswer(own, answer) : signedText(own, signature),
    members.has(answer) ? fromAnswer(text, answer) : null,
    inText === null ? null : fromAnswer(inText, answer),
  ];
}

/** The signed member of an answer of Intel's service, in the bytes it came in. */
function fromAnswer(text: string, name: string): SignedDocument {
  const members = jsonMembers(text, LIMITS);
  const body = members.get(name);
  const signature = textOf(members, "signature");
  if (body === undefined || signature === null) throw invalid(`${name} without its signature`);
  return signedText(body.text, signature);
}

function signedText(text: string, signatureHex: string): SignedDocument {
  const signature = fromHex(signatureHex);
  if (signature?.length !== SIGNATURE_BYTES) throw invalid(`a signature is not ${SIGNATURE_BYTES} bytes in hex`);
  return { bytes: new TextEncoder().encode(text), signature };
}

/**
 * A member that is text; `null` when it is absent or null. Intel's quote provider library hands out C strings and counts
 * the NUL in their lengths, so bundles made of them have it at the end of each text. Intel signs documents without it,
 * and no JSON ends with one: what is left is what was signed.
 */
function textOf(members: Members, name: string): string | null {
  const value = members.get(name)?.value ?? null;
  if (value === null) return null;
  if (typeof value !== "string") throw invalid(`${name} is not text`);
  let end = value.length;
  while (value[end - 1] === "\0") end -= 1;
  return value.slice(0, end);
}

function pemChain(text: string) {
  return parsePemCertificates(new TextEncoder().encode(decodedChain(text) ?? text), MAX_CHAIN);
}

function revocationList(text: string): RevocationList {
  const bytes = new TextEncoder().encode(text);
  const list = text.includes("-----BEGIN ") ? bytes : derOfText(bytes, MAX_LIST_BYTES);
  if (list === null) throw invalid("a revocation list is neither PEM, hex nor base64");
  return RevocationList.parse(list);
}
