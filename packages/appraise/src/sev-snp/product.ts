import type { Cpuid } from "./report.ts";

/** Product lines with a root key of their own. */
export const PRODUCTS = ["Milan", "Genoa", "Turin"] as const;

export type Product = (typeof PRODUCTS)[number];

interface ProductFacts {
  readonly family: number;
  /** Ranges of models, first and last. */
  readonly models: readonly (readonly [number, number])[];
  /** Names that certificates of the line carry, before a stepping such as `-B0`. */
  readonly names: readonly string[];
  /** Bytes of CHIP_ID in use; the rest is zero (AMD 57230, hwID). */
  readonly chipIdBytes: 8 | 64;
}

// Processor families and models: AMD revision guides. Bergamo and Siena are of Genoa's line.
const FACTS: Readonly<Record<Product, ProductFacts>> = {
  Milan: { family: 0x19, models: [[0x00, 0x0f]], names: ["Milan"], chipIdBytes: 64 },
  Genoa: {
    family: 0x19,
    models: [
      [0x10, 0x1f],
      [0xa0, 0xaf],
    ],
    names: ["Genoa", "Bergamo", "Siena"],
    chipIdBytes: 64,
  },
  Turin: { family: 0x1a, models: [[0x00, 0x1f]], names: ["Turin"], chipIdBytes: 8 },
};

/** The product line of a processor; `undefined` for one that is not known. */
export function productOfCpuid({ family, model }: Cpuid): Product | undefined {
  return PRODUCTS.find(
    (product) =>
      FACTS[product].family === family &&
      FACTS[product].models.some(([first, last]) => model >= first && model <= last),
  );
}

/** The product line a certificate's product name is of, `Milan-B0` for example. */
export function productOfName(name: string): Product | undefined {
  const [line = ""] = name.split("-");
  return PRODUCTS.find((product) => FACTS[product].names.includes(line));
}

export function chipIdBytes(product: Product): 8 | 64 {
  return FACTS[product].chipIdBytes;
}
