import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CmcpError } from "@cmcp/boundary";
import { PRODUCTS, vendorRequests, type VendorRequest } from "@cmcp/attestation/verify";
import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command, type Terminal } from "../command.ts";
import { platformOf, readFileOf } from "./inputs.ts";

/** The vendors' public services. */
const SERVICES: Readonly<Record<VendorRequest["vendor"], string>> = {
  amd: "https://kdsintf.amd.com",
  intel: "https://api.trustedservices.intel.com",
  "intel-certificates": "https://certificates.trustedservices.intel.com",
};
/** Largest answer, in bytes, and longest wait for one, in milliseconds. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
const ANSWER_MS = 30_000;

const OPTIONS = {
  platform: { type: "string" },
  evidence: { type: "string" },
  out: { type: "string" },
  product: { type: "string" },
  service: { type: "string" },
  json: { type: "boolean", default: false },
} as const;

/** `cmcp evidence fetch` */
export const evidenceFetch: Command = {
  help: `Usage: cmcp evidence fetch --platform sev-snp|tdx --evidence FILE --out FOLDER [options]

Asks the processor's vendor for the certificates and collateral of one report or quote and keeps the answers as
files, so that the evidence can be verified without a network. Answers are not verified here. The vendor learns
which machine is asked about.

  --platform PLATFORM   sev-snp or tdx
  --evidence FILE       the report or quote
  --out FOLDER          where the answers are kept
  --product PRODUCT     ${PRODUCTS.join(", ")}: for a report too old to name its processor
  --service URL         ask this service instead of the vendor's, such as a cache of one's own
  --json                one line: ok, certificates, collateral (the files, as evidence verify takes them)

Exit codes: 0 fetched, 10 the service did not answer as it should, 30 malformed evidence, 64 usage.
Example:    cmcp evidence fetch --platform tdx --evidence quote.bin --out collateral
`,
  async run(args, terminal) {
    const { values } = readArguments(args, OPTIONS);
    const platform = platformOf(required(values.platform, "--platform"));
    if (platform !== "sev-snp" && platform !== "tdx") throw new CmcpError("USAGE", "--platform is sev-snp or tdx: other platforms carry what they need");
    const product = values.product === undefined ? undefined : PRODUCTS.find((known) => known === values.product);
    if (values.product !== undefined && product === undefined) throw new CmcpError("USAGE", `--product is one of ${PRODUCTS.join(", ")}`);
    const folder = required(values.out, "--out");
    const requests = vendorRequests(platform, await readFileOf(required(values.evidence, "--evidence")), product);
    const answers: { readonly name: string; readonly is: VendorRequest["is"]; readonly bytes: Uint8Array }[] = [];
    // One after the other, and nothing is written before the last: services refuse who asks for much at once.
    for (const request of requests) answers.push(...(await answersTo(request, values.service ?? SERVICES[request.vendor], terminal)));
    await mkdir(folder, { recursive: true });
    for (const { name, bytes } of answers) await writeFile(join(folder, name), bytes);
    const files = (is: VendorRequest["is"]): string[] => answers.filter((answer) => answer.is === is).map(({ name }) => join(folder, name));
    const result = { certificates: files("certificate"), collateral: files("collateral") };
    if (values.json) terminal.out.write(`${JSON.stringify({ ok: true, ...result })}\n`);
    else terminal.out.write(`${[...result.certificates.map((path) => `--certs ${path}`), ...result.collateral.map((path) => `--collateral ${path}`)].join(" \\\n")}\n`);
    return EXIT.ok;
  },
};

async function answersTo({ path, file, issuerChain, is }: VendorRequest, service: string, { err }: Terminal): Promise<{ name: string; is: VendorRequest["is"]; bytes: Uint8Array }[]> {
  const url = new URL(path, service);
  err.write(`asking ${url.origin}${url.pathname}\n`);
  const unavailable = (why: string, cause?: unknown): CmcpError => new CmcpError("EVIDENCE_COLLATERAL_UNAVAILABLE", `${url.origin}${url.pathname}: ${why}`, { cause });
  let response: Response;
  try {
    response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS), redirect: "error" });
  } catch (thrown) {
    throw unavailable("cannot be reached", thrown);
  }
  if (!response.ok) throw unavailable(`answered HTTP ${response.status}`);
  const answers = [{ name: file, is, bytes: await bounded(response, unavailable) }];
  const chain = issuerChain === undefined ? null : response.headers.get(issuerChain.header);
  if (issuerChain === undefined) return answers;
  if (chain === null) throw unavailable(`answered without ${issuerChain.header}`);
  return [...answers, { name: issuerChain.file, is, bytes: new TextEncoder().encode(decodeURIComponent(chain)) }];
}

async function bounded(response: Response, unavailable: (why: string, cause?: unknown) => CmcpError): Promise<Uint8Array> {
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
