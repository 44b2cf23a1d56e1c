import { CmcpError } from "@cmcp/boundary";
import type { VendorRequest } from "@cmcp/appraise";
import type { Terminal } from "../command.ts";

/** The vendors' public services. */
const SERVICES: Readonly<Record<VendorRequest["vendor"], string>> = {
  amd: "https://kdsintf.amd.com",
  intel: "https://api.trustedservices.intel.com",
  "intel-certificates": "https://certificates.trustedservices.intel.com",
};
/** Largest answer, in bytes, and longest wait for one, in milliseconds. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
const ANSWER_MS = 30_000;

/** One file of an answer, in the vendor's own bytes. */
export interface Answer {
  readonly name: string;
  readonly is: VendorRequest["is"];
  readonly bytes: Uint8Array;
}

/**
 * Asks for everything, one after the other, because services refuse who asks for much at once.
 * @param service ask this one instead of the vendors'
 * @throws CmcpError `EVIDENCE_COLLATERAL_UNAVAILABLE`
 */
export async function askVendors(
  requests: readonly VendorRequest[],
  service: string | undefined,
  terminal: Terminal,
): Promise<readonly Answer[]> {
  const answers: Answer[] = [];
  for (const request of requests)
    answers.push(...(await answersTo(request, service ?? SERVICES[request.vendor], terminal)));
  return answers;
}

async function answersTo(
  { path, file, issuerChain, is }: VendorRequest,
  service: string,
  { err }: Terminal,
): Promise<Answer[]> {
  const url = new URL(path, service);
  err.write(`asking ${url.origin}${url.pathname}\n`);
  const unavailable = (why: string, cause?: unknown): CmcpError =>
    new CmcpError("EVIDENCE_COLLATERAL_UNAVAILABLE", `${url.origin}${url.pathname}: ${why}`, { cause });
  let response: Response;
  try {
    response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS), redirect: "error" });
  } catch (thrown) {
    throw unavailable("cannot be reached", thrown);
  }
  if (!response.ok) throw unavailable(`answered HTTP ${response.status}`);
  const answers = [{ name: file, is, bytes: await readBounded(response, unavailable) }];
  const chain = issuerChain === undefined ? null : response.headers.get(issuerChain.header);
  if (issuerChain === undefined) return answers;
  if (chain === null) throw unavailable(`answered without ${issuerChain.header}`);
  try {
    return [...answers, { name: issuerChain.file, is, bytes: new TextEncoder().encode(decodeURIComponent(chain)) }];
  } catch (thrown) {
    throw unavailable(`answered with an ${issuerChain.header} that is not percent-encoded as it should be`, thrown);
  }
}

async function readBounded(
  response: Response,
  unavailable: (why: string, cause?: unknown) => CmcpError,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of response.body ?? []) {
      size += chunk.byteLength;
      if (size > MAX_ANSWER_BYTES) throw unavailable(`answered with more than ${MAX_ANSWER_BYTES} bytes`);
      chunks.push(chunk);
    }
  } catch (thrown) {
    throw thrown instanceof CmcpError ? thrown : unavailable("broke off its answer", thrown);
  }
  return Buffer.concat(chunks);
}
