import type { Equivalent } from "./equivalent-mutant.ts";

/** Mutants of what makes and appraises evidence. */
export const EVIDENCE: readonly Equivalent[] = [
  {
    file: "attestation/src/azure/metadata.ts",
    line: "const quoteAnswer = z.object({ quote: z.string().min(1) });",
    name: "constant: 1 → 2",
    reason: "one character is base64 of nothing, and refused as that",
  },
  {
    file: "attestation/src/azure/metadata-http.ts",
    line: "return { status: response.statusCode ?? 0, body: await readBody(response) };",
    name: "constant: 0 → 1",
    reason: "an answer has a status; the type alone asks for another",
  },
  {
    file: "attestation/src/tpm/commands/capability.ts",
    line: "const maker = (await fixedProperty(tpm, PT_MANUFACTURER)) ?? 0;",
    name: "constant: 0 → 1",
    reason: "neither has a letter that is shown",
  },
  {
    file: "packages/appraise/src/tpm/quote.ts",
    line: "for (let bit = 0; bit < 8; bit += 1) if (((bits >> bit) & 1) === 1) registers.push(8 * byte + bit);",
    name: "comparison: < → <=",
    reason: "a byte has no ninth bit",
  },
  {
    file: "packages/appraise/src/tdx/tcb-match.ts",
    line: "return levelAt(identity.tcbLevels, teeTcbSvn[MODULE_SVN] ?? 0);",
    name: "constant: 0 → 1",
    reason: "the index is within the array; the type alone asks for another value",
  },
];
