import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { CmcpError } from "@cmcp/boundary";
import { PRODUCTS, vendorRequests, type Product, type VendorRequest } from "@cmcp/appraise";
import { readArguments, required } from "../arguments.ts";
import { writeError } from "../write-error.ts";
import { EXIT, type Command, type Terminal } from "../command.ts";
import { readEvidenceInput } from "../malformed-input.ts";
import { readFileOf } from "../read-file.ts";
import { replaceFiles } from "../replace-file.ts";
import { completeFile } from "./complete-file.ts";
import { platformOf, policyOf, timeOf } from "./inputs.ts";
import { askVendors } from "./vendor-services.ts";

const OPTIONS = {
  platform: { type: "string" },
  evidence: { type: "string" },
  out: { type: "string" },
  into: { type: "string" },
  product: { type: "string" },
  service: { type: "string" },
  policy: { type: "string" },
  at: { type: "string" },
  json: { type: "boolean", default: false },
} as const;

type Values = ReturnType<typeof readArguments<typeof OPTIONS>>["values"];

/** `cmcp evidence fetch` */
export const evidenceFetch: Command = {
  help: `Usage: cmcp evidence fetch --platform sev-snp|tdx --evidence FILE --out FOLDER [options]
       cmcp evidence fetch --into EVIDENCE.JSON [options]

Asks the processor's vendor for the certificates and collateral of one report or quote, so that the evidence can be
verified without a network: keeps the answers as files, or completes a claim's evidence file with them. The vendor
learns which machine is asked about.

  --platform PLATFORM   sev-snp or tdx
  --evidence FILE       the report or quote
  --out FOLDER          where the answers are kept, unverified
  --into FILE           the evidence file beside a claim: collateral in it is replaced, certificates are added. It is
                        left as it was unless signatures, chains and times of all of it hold
  --policy FILE|PRESET  with --into, the appraisal policy with the roots to hold it to; strict by default
  --at TIME             with --into, hold it to this time (ISO 8601); now by default
  --product PRODUCT     ${PRODUCTS.join(", ")}: for a report too old to name its processor
  --service URL         ask this service instead of the vendor's, such as a cache of one's own
  --json                one line: ok, and the files: certificates, collateral as evidence verify takes them; or into

Exit codes: 0 fetched, 10 the service did not answer as it should, or what it answered does not hold, 30 malformed
            evidence, 64 usage.
Example:    cmcp evidence fetch --platform tdx --evidence quote.bin --out collateral
            cmcp evidence fetch --into evidence.json
`,
  async run(args, terminal) {
    const { values } = readArguments(args, OPTIONS);
    return values.into === undefined
      ? await keepFiles(values, terminal)
      : await complete(values.into, values, terminal);
  },
};

function productOf({ product: name }: Values): Product | undefined {
  const product = PRODUCTS.find((known) => known === name);
  if (name !== undefined && product === undefined)
    throw new CmcpError("USAGE", `--product is one of ${PRODUCTS.join(", ")}`);
  return product;
}

async function keepFiles(values: Values, terminal: Terminal): Promise<number> {
  const stray = (["policy", "at"] as const).find((name) => values[name] !== undefined);
  if (stray !== undefined) throw new CmcpError("USAGE", `--${stray} goes with --into: files are kept unverified`);
  const platform = platformOf(required(values.platform, "--platform"));
  if (platform !== "sev-snp" && platform !== "tdx")
    throw new CmcpError("USAGE", "--platform is sev-snp or tdx: evidence of other platforms needs no further files");
  const folder = required(values.out, "--out");
  const [evidence, product] = [await readFileOf(required(values.evidence, "--evidence")), productOf(values)];
  const requests = readEvidenceInput(() => vendorRequests(platform, evidence, product));
  // Nothing is written before the last answer.
  const answers = await askVendors(requests, values.service, terminal);
  await mkdir(folder, { recursive: true }).catch((thrown: unknown) => {
    throw writeError(folder, thrown);
  });
  await replaceFiles(answers.map(({ name, bytes }) => ({ path: join(folder, name), content: bytes })));
  const files = (is: VendorRequest["is"]): string[] =>
    answers.filter((answer) => answer.is === is).map(({ name }) => join(folder, name));
  const result = { certificates: files("certificate"), collateral: files("collateral") };
  if (values.json) terminal.out.write(`${JSON.stringify({ ok: true, ...result })}\n`);
  else
    terminal.out.write(
      `${[...result.certificates.map((path) => `--certs ${path}`), ...result.collateral.map((path) => `--collateral ${path}`)].join(" \\\n")}\n`,
    );
  return EXIT.ok;
}

async function complete(path: string, values: Values, terminal: Terminal): Promise<number> {
  const stray = (["platform", "evidence", "out"] as const).find((name) => values[name] !== undefined);
  if (stray !== undefined)
    throw new CmcpError("USAGE", `--${stray} and --into exclude each other: the evidence file says what it is of`);
  const { policy } = await policyOf(values.policy);
  await completeFile(
    path,
    { product: productOf(values), service: values.service, policy, at: timeOf(values.at) },
    terminal,
  );
  terminal.out.write(values.json ? `${JSON.stringify({ ok: true, into: path })}\n` : `${path}\n`);
  return EXIT.ok;
}
