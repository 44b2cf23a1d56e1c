import type { PckPlatform } from "./pck.ts";
import type { QeIdentity } from "./qe-identity.ts";
import type { TcbInfo } from "./tcb-info.ts";
import { matchModule, matchPlatform, matchQe, moduleOf, relaunchStatus } from "./tcb-match.ts";
import { converge, type ComponentStatus, type TcbStatus } from "./tcb-status.ts";
import type { TdReport } from "./td-report.ts";

/** One part of the platform's trusted computing base at the level it matched. */
export interface TcbPart {
  readonly part: "platform" | "TDX module" | "quoting enclave";
  readonly status: TcbStatus;
  /** Date of the level: fixes published by then are in it. */
  readonly tcbDate: Date;
  readonly advisoryIds: readonly string[];
}

/** What Intel's signed collateral says of the platform, all parts converged. */
export interface TcbAppraisal {
  readonly status: TcbStatus;
  readonly parts: readonly TcbPart[];
  /** Security advisories that apply, sorted, each once. */
  readonly advisoryIds: readonly string[];
  /** Date of the oldest level matched. */
  readonly tcbDate: Date;
  readonly evaluationNumber: number;
}

/** What is matched against the levels. */
export interface TcbSubject extends Pick<TdReport, "teeTcbSvn" | "teeTcbSvn2"> {
  readonly pck: PckPlatform;
  readonly qe: { readonly isvSvn: number };
}

/** Finds the level of every part and converges their statuses; `below` names a part that is below every level. */
export function convergeTcb(info: TcbInfo, identity: QeIdentity, { teeTcbSvn, teeTcbSvn2, pck, qe }: TcbSubject): TcbAppraisal | { readonly below: string } {
  const levels = matchPlatform(info, pck, teeTcbSvn);
  if (levels === null) return { below: "the platform" };
  const qeLevel = matchQe(identity, qe.isvSvn);
  if (qeLevel === null) return { below: "the quoting enclave" };
  const module = moduleOf(info, teeTcbSvn)?.identity ?? null;
  const moduleLevel = module === null ? null : matchModule(module, teeTcbSvn);
  if (module !== null && moduleLevel === null) return { below: "the TDX module" };

  const qeStatus: ComponentStatus = qeLevel.tcbStatus === "UpToDate" || qeLevel.tcbStatus === "Revoked" ? qeLevel.tcbStatus : "OutOfDate";
  const moduleStatus = moduleLevel?.tcbStatus ?? "UpToDate";
  const started: TcbStatus = converge(levels.tdx.tcbStatus, moduleStatus);
  const running = teeTcbSvn2 === null ? started : relaunchStatus({ info, teeTcbSvn2, sgx: levels.sgx.tcbStatus, module: moduleStatus, qe: qeStatus, status: started });
  if (running === null) return { below: "the TDX module that runs now" };
  const parts: TcbPart[] = [
    { part: "platform", status: levels.tdx.tcbStatus, tcbDate: levels.tdx.tcbDate, advisoryIds: levels.tdx.advisoryIDs },
    ...(moduleLevel === null ? [] : [{ part: "TDX module", status: moduleStatus, tcbDate: moduleLevel.tcbDate, advisoryIds: moduleLevel.advisoryIDs } as const]),
    { part: "quoting enclave", status: qeStatus, tcbDate: qeLevel.tcbDate, advisoryIds: qeLevel.advisoryIDs },
  ];
  return {
    status: converge(running, qeStatus),
    parts,
    advisoryIds: [...new Set(parts.flatMap(({ advisoryIds }) => advisoryIds))].toSorted(),
    tcbDate: oldestDate(parts),
    evaluationNumber: Math.min(info.tcbEvaluationDataNumber, identity.tcbEvaluationDataNumber),
  };
}

/** The oldest TCB date of some parts. */
export function oldestDate(parts: readonly TcbPart[]): Date {
  return new Date(Math.min(...parts.map(({ tcbDate }) => tcbDate.getTime())));
}
