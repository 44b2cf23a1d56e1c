import { isZero, toHex } from "@cmcp/boundary";
import type { Row } from "../event-log/index.ts";
import { parsePemCertificates } from "../x509/pem.ts";
import { attributeNames } from "./attributes.ts";
import type { TdxCollateral } from "./unverified-collateral.ts";
import { pckPlatform } from "./pck.ts";
import { parseQeIdentity } from "./qe-identity.ts";
import { readQeReport } from "./qe-report.ts";
import { CERTIFICATION_PCK_CHAIN, type TdxQuote } from "./quote.ts";
import { parseTcbInfo } from "./tcb-info.ts";

const MAX_PCK_CHAIN = 8;

/** A quote for a person to read, field by field. It shows what the quote says, not what was verified. */
export function describeTdxQuote(quote: TdxQuote): readonly Row[] {
  const { claimed } = quote;
  return [
    { label: "quote", value: `TDX, version ${quote.version}, TD report ${quote.reportVersion}` },
    { label: "TEE_TCB_SVN", value: svnText(claimed.teeTcbSvn) },
    { label: "MRSEAM", value: toHex(claimed.mrSeam) },
    { label: "MRSIGNERSEAM", value: registerText(claimed.mrSignerSeam) },
    { label: "SEAM attributes", value: claimed.seamAttributes.toString(16) },
    { label: "TD attributes", value: attributeNames(claimed.tdAttributes).join(", ") || "none" },
    { label: "XFAM", value: claimed.xfam.toString(16) },
    { label: "MRTD", value: toHex(claimed.mrTd) },
    { label: "MRCONFIGID", value: registerText(claimed.mrConfigId) },
    { label: "MROWNER", value: registerText(claimed.mrOwner) },
    { label: "MROWNERCONFIG", value: registerText(claimed.mrOwnerConfig) },
    ...claimed.rtmrs.map((value, index) => ({ label: `RTMR${index}`, value: registerText(value) })),
    { label: "report data", value: registerText(claimed.reportData) },
    ...(claimed.teeTcbSvn2 === null ? [] : [{ label: "TEE_TCB_SVN_2", value: svnText(claimed.teeTcbSvn2) }]),
    ...(claimed.mrServiceTd === null ? [] : [{ label: "MRSERVICETD", value: registerText(claimed.mrServiceTd) }]),
    { label: "platform", value: toHex(quote.userData.subarray(0, 16)) },
    ...qeRows(quote),
    ...pckRows(quote),
  ];
}

function registerText(value: Uint8Array): string {
  return isZero(value) ? "zero" : toHex(value);
}

function svnText(svn: Uint8Array): string {
  return `${toHex(svn)} (module ${svn[1] ?? 0}, its security version ${svn[0] ?? 0})`;
}

function qeRows(quote: TdxQuote): Row[] {
  const qe = readQeReport(quote.qeReport);
  return [
    { label: "quoting enclave", value: `product ${qe.isvProdId}, security version ${qe.isvSvn}` },
    { label: "quoting enclave's MRSIGNER", value: toHex(qe.mrSigner) },
    { label: "quoting enclave's MRENCLAVE", value: toHex(qe.mrEnclave) },
  ];
}

function pckRows({ certification }: TdxQuote): Row[] {
  const label = "PCK";
  if (certification.type !== CERTIFICATION_PCK_CHAIN)
    return [{ label, value: `named by certification data of type ${certification.type}, no certificates` }];
  try {
    const chain = parsePemCertificates(certification.data, MAX_PCK_CHAIN);
    const certificates = chain.map((one, index) => ({
      label: `certificate ${index + 1}`,
      value: `${one.subjectText}; ${one.notBefore.toISOString()} to ${one.notAfter.toISOString()}`,
    }));
    const [leaf] = chain;
    if (leaf === undefined) return certificates;
    const { fmspc, pceId, pceSvn, components } = pckPlatform(leaf);
    return [
      ...certificates,
      { label, value: `FMSPC ${fmspc}, PCEID ${pceId}, PCESVN ${pceSvn}, SGX TCB components ${components.join(" ")}` },
    ];
  } catch {
    // What cannot be read is shown as such; verification says why.
    return [{ label, value: `${certification.data.length} bytes that are no chain of PCK certificates` }];
  }
}

/** Collateral for a person to read: what each part is about and when it holds. Nothing of it is verified. */
export function describeTdxCollateral({
  tcbInfo,
  qeIdentity,
  revocationLists,
  certificates,
  pckChain,
}: TdxCollateral): readonly Row[] {
  const span = (from: Date, to: Date): string => `${from.toISOString()} to ${to.toISOString()}`;
  const rows: Row[] = [];
  if (tcbInfo !== null) {
    const info = parseTcbInfo(tcbInfo.bytes);
    rows.push({
      label: "TCB info",
      value: `FMSPC ${info.fmspc}, evaluation ${info.tcbEvaluationDataNumber}; ${span(info.issueDate, info.nextUpdate)}`,
    });
    rows.push(
      ...info.tcbLevels.map(({ tcb, tcbStatus, tcbDate, advisoryIDs }) => ({
        label: "TCB level",
        value: `${tcbStatus} of ${tcbDate.toISOString().slice(0, 10)}: SGX ${tcb.sgxtcbcomponents.join(" ")}, PCESVN ${tcb.pcesvn}, TDX ${tcb.tdxtcbcomponents.join(" ")}${advisoryIDs.length > 0 ? `; ${advisoryIDs.join(", ")}` : ""}`,
      })),
    );
  }
  if (qeIdentity !== null) {
    const identity = parseQeIdentity(qeIdentity.bytes);
    rows.push({
      label: "QE identity",
      value: `product ${identity.isvprodid}, evaluation ${identity.tcbEvaluationDataNumber}; ${span(identity.issueDate, identity.nextUpdate)}`,
    });
  }
  rows.push(
    ...revocationLists.map((list) => ({
      label: "revocation list",
      value: `${list.issuerText}, ${list.size} entries; ${span(list.thisUpdate, list.nextUpdate)}`,
    })),
  );
  rows.push(
    ...[...certificates, ...pckChain].map((one) => ({
      label: "certificate",
      value: `${one.subjectText}; ${span(one.notBefore, one.notAfter)}`,
    })),
  );
  return rows;
}
