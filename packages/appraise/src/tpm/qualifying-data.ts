import { bytesEqual, toHex } from "@cmcp/boundary";
import type { Checking } from "../checks/checking.ts";
import type { VerifierCrypto } from "../checks/crypto.ts";
import { hash } from "../event-log/hash-algorithm.ts";
import type { QualifyingForm } from "./policy.ts";

/** Precedes report_data in the gateway's own qualifying data, so that other data of 32 bytes cannot be mistaken for it. */
const PURPOSE = new TextEncoder().encode("cmcp-tpm-v1");

/** Qualifying data that binds report_data in one of the accepted forms. */
async function qualifyingData(
  crypto: VerifierCrypto,
  form: QualifyingForm,
  reportData: Uint8Array,
): Promise<Uint8Array> {
  if (form === "exact") return reportData;
  return form === "sha256"
    ? await hash(crypto, "sha256", reportData)
    : await hash(crypto, "sha256", PURPOSE, reportData);
}

/** Checks that the quote was made for the expected report data. @param reportData 64 bytes; another nonce only in the form `exact`. */
export async function checkQualifyingData(
  { crypto, recorder }: Checking,
  extraData: Uint8Array,
  reportData: Uint8Array | undefined,
  forms: readonly QualifyingForm[],
): Promise<void> {
  const check = "report data";
  if (reportData === undefined)
    return recorder.notPerformed(check, "no report data was expected: whom the evidence was made for is not shown");
  if (reportData.length === 0)
    return recorder.fail(
      check,
      "EVIDENCE_REPORT_DATA_MISMATCH",
      "the expected report data is empty, which any quote without a challenge has",
    );
  const expected = await Promise.all(forms.map(async (form) => await qualifyingData(crypto, form, reportData)));
  const form = forms[expected.findIndex((one) => bytesEqual(one, extraData))];
  recorder.require(check, form !== undefined, "EVIDENCE_REPORT_DATA_MISMATCH", {
    passed: `the qualifying data is the expected report data (${form ?? ""})`,
    failed: `the quote carries ${toHex(extraData) || "nothing"}`,
  });
}
