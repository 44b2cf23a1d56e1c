import { bytesEqual } from "@cmcp/boundary";
import type { PckPlatform } from "./pck.ts";
import type { QeIdentity } from "./qe-identity.ts";
import type { TcbInfo } from "./tcb-info.ts";
import { matchModule, matchPlatform, matchQe, moduleOf } from "./tcb-match.ts";
import { converge, convergeRelaunch, type ComponentStatus, type TcbStatus } from "./tcb-status.ts";
import type { TdReport } from "./td-report.ts";

/** One part of the platform's trusted computing base at the level it matched. */
export interface TcbPart {
  readonly part: "platform" | "TDX module" | "TDX module that runs now" | "quoting enclave";
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
export interface TcbEvidence extends Pick<TdReport, "teeTcbSvn" | "teeTcbSvn2"> {
  readonly pck: PckPlatform;
  readonly qe: { readonly isvSvn: number };
}

/**
 * Finds the level of every part and converges their statuses; `below` names a part that is below every level. A TDX 1.5
 * report has two lists of security versions, from the TD's launch and of now, and both have to be at a level.
 */
export function convergeTcb(
  info: TcbInfo,
  identity: QeIdentity,
  { teeTcbSvn, teeTcbSvn2, pck, qe }: TcbEvidence,
): TcbAppraisal | { readonly below: string } {
  const launched = matchSvn(info, pck, teeTcbSvn);
  if ("below" in launched) return launched;
  const current = teeTcbSvn2 === null || bytesEqual(teeTcbSvn, teeTcbSvn2) ? null : matchSvn(info, pck, teeTcbSvn2);
  if (current !== null && "below" in current) return { below: "the TDX module that runs now" };
  const qeLevel = matchQe(identity, qe.isvSvn);
  if (qeLevel === null) return { below: "the quoting enclave" };

  const qeStatus: ComponentStatus =
    qeLevel.tcbStatus === "UpToDate" || qeLevel.tcbStatus === "Revoked" ? qeLevel.tcbStatus : "OutOfDate";
  const atLaunch = converge(launched.status, qeStatus);
  const parts: TcbPart[] = [
    ...launched.parts,
    ...(current === null
      ? []
      : [
          {
            part: "TDX module that runs now",
            status: current.status,
            tcbDate: oldestDate(current.parts),
            advisoryIds: current.parts.flatMap(({ advisoryIds }) => advisoryIds),
          } as const,
        ]),
    { part: "quoting enclave", status: qeStatus, tcbDate: qeLevel.tcbDate, advisoryIds: qeLevel.advisoryIDs },
  ];
  return {
    status: current === null ? atLaunch : convergeRelaunch(atLaunch, converge(current.status, qeStatus)),
    parts,
    advisoryIds: [...new Set(parts.flatMap(({ advisoryIds }) => advisoryIds))].toSorted(),
    tcbDate: oldestDate(parts),
    evaluationNumber: Math.min(info.tcbEvaluationDataNumber, identity.tcbEvaluationDataNumber),
  };
}

/** The levels of platform and TDX module by one list of TDX security versions. */
function matchSvn(
  info: TcbInfo,
  pck: PckPlatform,
  teeTcbSvn: Uint8Array,
): { readonly status: TcbStatus; readonly parts: readonly TcbPart[] } | { readonly below: string } {
  const level = matchPlatform(info, pck, teeTcbSvn);
  if (level === null) return { below: "the platform" };
  const platform: TcbPart = {
    part: "platform",
    status: level.tcbStatus,
    tcbDate: level.tcbDate,
    advisoryIds: level.advisoryIDs,
  };
  const found = moduleOf(info, teeTcbSvn);
  if (found === null) return { below: "the TDX module" };
  if (found.identity === null) return { status: platform.status, parts: [platform] };
  const own = matchModule(found.identity, teeTcbSvn);
  if (own === null) return { below: "the TDX module" };
  const module: TcbPart = {
    part: "TDX module",
    status: own.tcbStatus,
    tcbDate: own.tcbDate,
    advisoryIds: own.advisoryIDs,
  };
  return { status: converge(level.tcbStatus, own.tcbStatus), parts: [platform, module] };
}

/** The oldest TCB date of some parts. */
export function oldestDate(parts: readonly TcbPart[]): Date {
  return new Date(Math.min(...parts.map(({ tcbDate }) => tcbDate.getTime())));
}
