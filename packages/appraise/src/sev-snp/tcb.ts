import type { Product } from "./product.ts";

/** Security version numbers of a platform's parts, one byte each (TCB_VERSION of AMD 56860; AMD 57230 for certificates). */
export interface TcbVersion {
  /** Turin only: firmware of the flash module controller. */
  readonly fmc?: number;
  readonly bootloader: number;
  readonly tee: number;
  readonly snp: number;
  readonly microcode: number;
}

/** The parts in the order they are shown. */
export const TCB_PARTS = ["fmc", "bootloader", "tee", "snp", "microcode"] as const;

/** Takes an 8-byte TCB_VERSION apart; Turin has another layout than Milan and Genoa. */
export function readTcb(bytes: Uint8Array, product: Product): TcbVersion {
  const byte = (index: number): number => bytes[index] ?? 0;
  if (product === "Turin") return { fmc: byte(0), bootloader: byte(1), tee: byte(2), snp: byte(3), microcode: byte(7) };
  return { bootloader: byte(0), tee: byte(1), snp: byte(6), microcode: byte(7) };
}

/** True when no part of `tcb` is below the same part of `floor`. */
export function tcbAtLeast(tcb: TcbVersion, floor: TcbVersion): boolean {
  return TCB_PARTS.every((part) => (tcb[part] ?? 0) >= (floor[part] ?? 0));
}

export function tcbEqual(left: TcbVersion, right: TcbVersion): boolean {
  return TCB_PARTS.every((part) => left[part] === right[part]);
}

/** `bootloader 4, tee 0, snp 24, microcode 219` */
export function tcbText(tcb: TcbVersion): string {
  return TCB_PARTS.flatMap((part) => (tcb[part] === undefined ? [] : [`${part} ${tcb[part]}`])).join(", ");
}
