import type { Row } from "../event-log/index.ts";
import { describeSnpReport } from "../sev-snp/describe.ts";
import { parseSnpReport } from "../sev-snp/report.ts";
import { describeTdxQuote } from "../tdx/describe.ts";
import { parseTdxQuote } from "../tdx/quote.ts";
import { describeTpmEvidence, readRows } from "../tpm/describe.ts";
import type { AzureCvmEvidence } from "./evidence.ts";
import { parseHclReport } from "./hcl-report.ts";
import { parseRuntimeData } from "./runtime-data.ts";

/** Azure evidence for a person to read. It shows what the bytes say, not what was verified; what cannot be read says why. */
export function describeAzureCvmEvidence(evidence: AzureCvmEvidence): readonly Row[] {
  const { paravisor, tdQuote, certificates: _, ...vtpm } = evidence;
  return [
    ...readRows("paravisor", () => paravisorRows(paravisor)),
    ...(tdQuote === undefined
      ? []
      : readRows("paravisor quote", () => labelled(describeTdxQuote(parseTdxQuote(tdQuote))))),
    ...describeTpmEvidence(vtpm),
  ];
}

function labelled(rows: readonly Row[]): readonly Row[] {
  return rows.map(({ label, value }) => ({ label: `paravisor ${label}`, value }));
}

function paravisorRows(paravisor: AzureCvmEvidence["paravisor"]): readonly Row[] {
  if ("snpReport" in paravisor)
    return [...labelled(describeSnpReport(parseSnpReport(paravisor.snpReport))), ...runtimeRows(paravisor.runtimeData)];
  const { kind, hardwareReport, runtimeHash, runtimeData } = parseHclReport(paravisor.hclReport);
  const hardware =
    kind === "sev-snp"
      ? labelled(describeSnpReport(parseSnpReport(hardwareReport)))
      : [{ label: "paravisor TDREPORT", value: `${hardwareReport.length} bytes, not signed` }];
  return [
    { label: "paravisor hardware", value: kind },
    ...hardware,
    { label: "runtime data", value: `${runtimeData.length} bytes, bound by ${runtimeHash}` },
    ...runtimeRows(runtimeData),
  ];
}

function runtimeRows(runtimeData: Uint8Array): readonly Row[] {
  return readRows("runtime data", () => {
    const { attestationKey, userData } = parseRuntimeData(runtimeData);
    return [
      {
        label: "runtime attestation key",
        value: attestationKey.kind === "rsa" ? `RSA ${attestationKey.modulusBytes * 8}` : attestationKey.curve,
      },
      { label: "runtime user data", value: /^0*$/.test(userData) ? "none" : userData },
    ];
  });
}
