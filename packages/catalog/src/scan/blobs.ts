import { found, type TextFinding } from "./finding.ts";
import { MIN_BLOB } from "./limits.ts";

const RUN = /[A-Za-z0-9+/_-]+/g;
const HEX = /^[0-9a-fA-F]+$/;
/** Share of a decoded blob that must be printable ASCII to call it text. */
const TEXT_SHARE = 0.9;

function decodesToText(blob: string): boolean {
  const binary = atob(
    blob
      .replaceAll("-", "+")
      .replaceAll("_", "/")
      .slice(0, blob.length - (blob.length % 4)),
  );
  let printable = 0;
  for (let at = 0; at < binary.length; at += 1) {
    const unit = binary.charCodeAt(at);
    if ((unit >= 0x20 && unit < 0x7f) || unit === 0x0a || unit === 0x0d || unit === 0x09) printable += 1;
  }
  return printable >= binary.length * TEXT_SHARE;
}

/** Long runs that look like base64 or hexadecimal: one finding a run, `high` when text is inside. */
export function findBlobs(text: string): TextFinding[] {
  const findings: TextFinding[] = [];
  for (const { 0: run, index } of text.matchAll(RUN)) {
    if (run.length < MIN_BLOB) continue;
    if (HEX.test(run)) findings.push(found("encoded-blob", "low", index, `${run.length} hexadecimal digits`));
    else if (decodesToText(run))
      findings.push(found("encoded-blob", "high", index, `${run.length} characters of base64 with text inside`));
    else if (/[A-Z]/.test(run) && /[a-z]/.test(run) && /[0-9]/.test(run))
      findings.push(found("encoded-blob", "medium", index, `${run.length} characters that look like base64`));
  }
  return findings;
}
