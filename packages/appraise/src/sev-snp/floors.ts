import type { Product } from "./product.ts";
import type { TcbVersion } from "./tcb.ts";

/**
 * The least TCB accepted of each product unless a policy says otherwise, every part given.
 *
 * As of 2025-02-03: `snp` and `microcode` fix AMD-SB-3015 (memory aliases) and AMD-SB-3019 (microcode signatures);
 * Turin's microcode is that of AMD-SB-7033. `bootloader` and `tee` are no part of those bulletins and stand at
 * what public verifiers ask for or genuine fixed machines report. Later bulletins raise them, AMD-SB-3020 Genoa's
 * `snp` to 27 for example; providers were still on the values here in 2026, so asking for more is the policy's.
 */
export const DEFAULT_FLOORS: Readonly<Record<Product, TcbVersion>> = {
  Milan: { bootloader: 3, tee: 0, snp: 24, microcode: 219 },
  Genoa: { bootloader: 7, tee: 0, snp: 23, microcode: 84 },
  Turin: { fmc: 0, bootloader: 1, tee: 0, snp: 1, microcode: 71 },
};
