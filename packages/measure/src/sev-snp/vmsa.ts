import { PAGE_BYTES } from "../firmware/ranges.ts";

/** Virtual machine monitors whose first register state is known. */
export const VMM_TYPES = ["QEMU", "ec2", "gce"] as const;
export type VmmType = (typeof VMM_TYPES)[number];

/** What the save area of a virtual processor depends on. */
export interface VmsaInputs {
  readonly vmm: VmmType;
  /** CPUID signature of the CPU model; only QEMU passes it. */
  readonly cpuSignature: number;
  /** SEV_FEATURES. */
  readonly features: bigint;
}

/** Where the boot processor starts: the x86 reset vector. */
export const RESET_VECTOR = 0xffff_fff0;
/** PAT after reset (AMD APM volume 2, section 7.8.2), and the one GCE's hypervisor writes. */
const PAT_RESET = 0x0007_0406_0007_0406n;
const PAT_GCE = 0x0007_0106n;
/** EDX at reset as clouds set it: family 6. */
const RESET_EDX_FAMILY_6 = 0x600;

/** Offsets in the save area (AMD APM volume 2, table B-4) of the registers that are not zero at launch. */
const AT = {
  es: 0x000,
  cs: 0x010,
  ss: 0x020,
  ds: 0x030,
  fs: 0x040,
  gs: 0x050,
  gdtr: 0x060,
  ldtr: 0x070,
  idtr: 0x080,
  tr: 0x090,
  efer: 0x0d0,
  cr4: 0x148,
  cr0: 0x158,
  dr7: 0x160,
  dr6: 0x168,
  rflags: 0x170,
  rip: 0x178,
  gPat: 0x268,
  rdx: 0x310,
  sevFeatures: 0x3b0,
  xcr0: 0x3e8,
  mxcsr: 0x408,
  x87Fcw: 0x410,
} as const;

/** A segment register; what is left out has its value after a reset. */
interface Segment {
  readonly selector?: number;
  readonly attributes?: number;
  readonly limit?: number;
  readonly base?: number;
}

class SaveArea {
  readonly page = new Uint8Array(PAGE_BYTES);
  readonly #view = new DataView(this.page.buffer);

  segment(at: number, { selector = 0, attributes = 0, limit = 0xffff, base = 0 }: Segment): void {
    this.#view.setUint16(at, selector, true);
    this.#view.setUint16(at + 2, attributes, true);
    this.#view.setUint32(at + 4, limit, true);
    this.quad(at + 8, BigInt(base));
  }

  quad(at: number, value: bigint): void {
    this.#view.setBigUint64(at, value, true);
  }

  long(at: number, value: number): void {
    this.#view.setUint32(at, value, true);
  }

  word(at: number, value: number): void {
    this.#view.setUint16(at, value, true);
  }
}

/** What every launch by KVM has: SVME and MCE on, debug registers as after reset. */
function common(area: SaveArea, features: bigint): void {
  area.segment(AT.gdtr, {});
  area.segment(AT.idtr, {});
  area.segment(AT.ldtr, { attributes: 0x82 });
  area.quad(AT.efer, 0x1000n);
  area.quad(AT.cr4, 0x40n);
  area.quad(AT.dr7, 0x400n);
  area.quad(AT.dr6, 0xffff_0ff0n);
  area.quad(AT.rflags, 2n);
  area.quad(AT.sevFeatures, features);
  area.quad(AT.xcr0, 1n);
}

/** Save area of a processor that starts in real mode at `eip`: 4096 bytes. */
export function vmsaPage({ vmm, cpuSignature, features }: VmsaInputs, eip: number): Uint8Array {
  const area = new SaveArea();
  const [onEc2, onQemu] = [vmm === "ec2", vmm === "QEMU"];
  common(area, features);
  for (const at of [AT.es, AT.ds, AT.fs, AT.gs]) area.segment(at, { attributes: 0x93 });
  area.segment(AT.cs, {
    selector: 0xf000,
    attributes: onEc2 && eip === RESET_VECTOR ? 0x9a : 0x9b,
    base: (eip & 0xffff_0000) >>> 0,
  });
  area.segment(AT.ss, { attributes: onEc2 ? 0x92 : 0x93 });
  area.segment(AT.tr, { attributes: onEc2 ? 0x83 : 0x8b });
  area.quad(AT.cr0, 0x10n);
  area.quad(AT.rip, BigInt(eip & 0xffff));
  area.quad(AT.gPat, vmm === "gce" ? PAT_GCE : PAT_RESET);
  area.quad(AT.rdx, BigInt(onQemu ? cpuSignature : RESET_EDX_FAMILY_6));
  area.long(AT.mxcsr, onQemu ? 0x1f80 : 0);
  area.word(AT.x87Fcw, onQemu ? 0x37f : 0);
  return area.page;
}

/**
 * Save area of a processor that starts in an SVSM, in flat 32-bit protected mode at `eip` (coconut-svsm's QEMU). The x87
 * control word stays zero there, as the reference calculator has it.
 */
export function svsmVmsaPage(cpuSignature: number, features: bigint, eip: number): Uint8Array {
  const area = new SaveArea();
  common(area, features);
  for (const at of [AT.es, AT.ss, AT.ds, AT.fs])
    area.segment(at, { selector: 16, attributes: 0xc93, limit: 0xffff_ffff });
  area.segment(AT.cs, { selector: 8, attributes: 0xc9b, limit: 0xffff_ffff });
  area.segment(AT.gs, { selector: 0, attributes: 0x93, limit: 0xffff });
  area.segment(AT.tr, { selector: 0, attributes: 0x8b, limit: 0xffff });
  area.quad(AT.cr0, 0x11n);
  area.quad(AT.rip, BigInt(eip));
  area.quad(AT.gPat, PAT_RESET);
  area.quad(AT.rdx, BigInt(cpuSignature));
  area.long(AT.mxcsr, 0x1f80);
  return area.page;
}
