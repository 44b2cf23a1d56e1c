import type { PckPlatform } from "./pck.ts";
import type { QeIdentity } from "./qe-identity.ts";
import type { TcbInfo, TcbLevel, TdxModule, TdxModuleIdentity } from "./tcb-info.ts";

/** Positions in TEE_TCB_SVN (Intel TDX module ABI: TEE_TCB_SVN). */
const MODULE_SVN = 0;
const MODULE_VERSION = 1;
const MICROCODE_SVN = 2;

/** The first difference of two lists of numbers, the larger first. */
function descending(left: readonly number[], right: readonly number[]): number {
  const index = left.findIndex((value, at) => value !== right[at]);
  return index === -1 ? 0 : (right[index] ?? 0) - (left[index] ?? 0);
}

/** Levels from the highest: by SGX components, then PCESVN, then TDX components. Matching takes the first that fits. */
function sortedLevels(levels: readonly TcbLevel[]): TcbLevel[] {
  const key = ({ tcb }: TcbLevel): number[] => [...tcb.sgxtcbcomponents, tcb.pcesvn, ...tcb.tdxtcbcomponents];
  return levels.toSorted((left, right) => descending(key(left), key(right)));
}

function reaches(have: ArrayLike<number>, need: readonly number[], from = 0): boolean {
  return need.every((svn, index) => index < from || (have[index] ?? 0) >= svn);
}

/**
 * The platform's level: the highest one that no SGX component, PCESVN or TDX component is below (Intel TDX DCAP
 * quote verification, TCB level selection).
 *
 * @returns `null` when the platform is below every level.
 */
export function matchPlatform(info: TcbInfo, platform: PckPlatform, teeTcbSvn: Uint8Array): TcbLevel | null {
  // A module with a version of its own has its own levels; its two numbers count there.
  const from = (teeTcbSvn[MODULE_VERSION] ?? 0) > 0 ? MICROCODE_SVN : MODULE_SVN;
  const fits = ({ tcb }: TcbLevel): boolean =>
    reaches(platform.components, tcb.sgxtcbcomponents) &&
    platform.pceSvn >= tcb.pcesvn &&
    reaches(teeTcbSvn, tcb.tdxtcbcomponents, from);
  return sortedLevels(info.tcbLevels).find(fits) ?? null;
}

function identityOf(info: TcbInfo, version: number): TdxModuleIdentity | undefined {
  const id = `TDX_${version.toString(16).padStart(2, "0")}`;
  return info.tdxModuleIdentities.find((identity) => identity.id.toLowerCase() === id.toLowerCase());
}

/** Which module the quote was made under: the one without a version, an identity, or none that Intel knows. */
export function moduleOf(
  info: TcbInfo,
  teeTcbSvn: Uint8Array,
): { readonly module: TdxModule; readonly identity: TdxModuleIdentity | null } | null {
  const version = teeTcbSvn[MODULE_VERSION] ?? 0;
  if (version === 0) return { module: info.tdxModule, identity: null };
  const identity = identityOf(info, version);
  return identity === undefined ? null : { module: identity, identity };
}

interface IsvLevel {
  readonly tcb: { readonly isvsvn: number };
}

/** The highest level at or below a security version number. */
function levelAt<Level extends IsvLevel>(levels: readonly Level[], isvSvn: number): Level | null {
  return (
    levels.toSorted((left, right) => right.tcb.isvsvn - left.tcb.isvsvn).find(({ tcb }) => isvSvn >= tcb.isvsvn) ?? null
  );
}

/** The module's level by its security version number; `null` when it is below all. */
export function matchModule(
  identity: TdxModuleIdentity,
  teeTcbSvn: Uint8Array,
): TdxModuleIdentity["tcbLevels"][number] | null {
  return levelAt(identity.tcbLevels, teeTcbSvn[MODULE_SVN] ?? 0);
}

/** The quoting enclave's level by its ISVSVN; `null` when it is below all. */
export function matchQe(identity: QeIdentity, isvSvn: number): QeIdentity["tcbLevels"][number] | null {
  return levelAt(identity.tcbLevels, isvSvn);
}
